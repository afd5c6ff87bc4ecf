# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the tests of extractors look at, and how they compare features."""

import cv2
import numpy as np
import pytest
import torch

CPU = torch.device("cpu")
ALL = 20000
DIMS = {"sift": 128, "xfeat": 64, "aliked-n16": 128, "aliked-t16": 64}
EXTRACTORS = pytest.mark.parametrize("name", DIMS)
SIZE = (256, 192)  # (width, height), multiples of 32


def scene(width=SIZE[0], height=SIZE[1], seed=0):
    """Overlapping polygons on a textured ground, (H, W) uint8."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(90, 150, (height // 8, width // 8), np.uint8), (width, height))
    for _ in range(width * height // 600):
        centre = rng.uniform((0, 0), (width, height))
        corners = centre + rng.normal(0, 14, (4, 2))
        cv2.fillConvexPoly(
            image, cv2.convexHull(np.rint(corners).astype(np.int32)), int(rng.integers(256)), cv2.LINE_AA
        )
    return cv2.GaussianBlur(image, (0, 0), 0.8)


def nearest(points, others):
    """For each point the vector to the nearest of the others, (M, 2)."""
    distances = np.linalg.norm(points[:, None] - others[None], axis=2)
    return others[distances.argmin(axis=1)] - points


def by_position(features):
    """Index that sorts keypoints by place, then orientation: independent of ties in the score."""
    keys = [features.keypoints[:, 0], features.keypoints[:, 1]]
    if features.orientations is not None:
        keys.insert(0, features.orientations)
    return np.lexsort(keys)


def assert_same(features, others, atol=1e-4):
    a, b = by_position(features), by_position(others)
    np.testing.assert_allclose(features.keypoints[a], others.keypoints[b], atol=atol)
    np.testing.assert_allclose(features.scores[a], others.scores[b], atol=atol)
    np.testing.assert_allclose(features.descriptors[a], others.descriptors[b], atol=1e-3)
