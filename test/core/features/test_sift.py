# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""SIFT: its bias, and against OpenCV."""

import cv2
import numpy as np
import pytest
from extractor_scenes import ALL, CPU, SIZE, nearest, scene

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.features.sift import OPENCV_BIAS_PX, root_sift


def test_half_a_turn_shows_no_bias_of_sift(build, everything):
    """Turned by 180 degrees, the point (x, y) is at (w - 1 - x, h - 1 - y); an offset of all points shows doubled."""
    turned = build("sift").extract(np.ascontiguousarray(scene()[::-1, ::-1]))
    offsets = nearest(everything("sift").keypoints, np.array(SIZE) - 1 - turned.keypoints)
    offsets = offsets[np.linalg.norm(offsets, axis=1) < 1]
    assert len(offsets) > 0.8 * len(turned)
    np.testing.assert_allclose(np.mean(offsets, axis=0), 0, atol=0.05)


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0, 7.0])
@pytest.mark.parametrize("centre", [(60.0, 60.0), (60.3, 63.7), (50.5, 50.5), (71.25, 66.6)])
def test_sift_is_at_the_centre_of_a_spot(sigma, centre):
    grid = np.mgrid[0:128, 0:128]
    spot = np.exp(-((grid[1] - centre[0]) ** 2 + (grid[0] - centre[1]) ** 2) / (2 * sigma**2))
    features = create_extractor(MatcherConfig(features="sift"), CPU).extract(np.rint(100 + 120 * spot).astype(np.uint8))
    np.testing.assert_allclose(features.keypoints[0], centre, atol=0.05)


def test_sift_equals_opencv():
    """Moved by OpenCV's bias; the same descriptors, square roots of parts of one."""
    image = scene()
    features = create_extractor(MatcherConfig(features="sift", max_keypoints=ALL), CPU).extract(image)
    found, descriptors = cv2.SIFT.create(contrastThreshold=0.02).detectAndCompute(image, None)
    assert len(features) == len(found)
    order = sorted(range(len(found)), key=lambda i: (-found[i].response, *found[i].pt, found[i].angle))
    np.testing.assert_allclose(features.keypoints, np.array([found[i].pt for i in order]) - OPENCV_BIAS_PX, atol=1e-4)
    np.testing.assert_allclose(features.scales, [found[i].size for i in order], rtol=1e-6)
    np.testing.assert_allclose(features.orientations, np.deg2rad([found[i].angle for i in order]), atol=1e-5)
    wanted = descriptors[order] / np.linalg.norm(descriptors[order], ord=1, axis=1, keepdims=True)
    np.testing.assert_allclose(features.descriptors.square(), wanted, atol=1e-6)


def test_root_sift_of_nothing():
    np.testing.assert_array_equal(root_sift(np.zeros((1, 128), np.float32)), np.zeros((1, 128)))
