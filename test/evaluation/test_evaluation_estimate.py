# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""MAGSAC on exact matches, and the error of poses."""

import math

import numpy as np
import pytest

from lightmatch_ros.evaluation.estimate import estimate_homography, estimate_motion, pose_error_deg
from lightmatch_ros.evaluation.metrics import corner_error_px

INF = float("inf")


def turn(angle_deg, t):
    a = math.radians(angle_deg)
    T = np.eye(4)
    T[:3, :3] = [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]]
    T[:3, 3] = t
    return T


def test_homography_of_exact_matches_with_outliers():
    rng = np.random.default_rng(0)
    H = np.array([[0.9, -0.2, 30], [0.15, 1.1, -20], [1e-4, -5e-5, 1]])
    points0 = rng.uniform(0, 500, (100, 2)).astype(np.float32)
    mapped = np.column_stack([points0, np.ones(100)]) @ H.T
    points1 = (mapped[:, :2] / mapped[:, 2:]).astype(np.float32)
    points1[:30] = rng.uniform(0, 500, (30, 2))
    found = estimate_homography(points0, points1)
    assert corner_error_px(found.model, H, (500, 500)) < 0.05
    assert found.inliers[30:].all() and found.inliers[:30].sum() < 3


def test_motion_of_exact_matches_with_outliers():
    rng = np.random.default_rng(0)
    T = turn(10, [0.6, 0.1, 0.8])
    X0 = np.column_stack([rng.uniform(-2, 2, (120, 2)), rng.uniform(3, 8, 120)])
    X1 = X0 @ T[:3, :3].T + T[:3, 3]
    x0, x1 = X0[:, :2] / X0[:, 2:], X1[:, :2] / X1[:, 2:]
    x1[:30] = rng.uniform(-0.5, 0.5, (30, 2))
    found = estimate_motion(x0, x1, 600.0)
    assert pose_error_deg(found.model, T) < 1  # OpenCV's MAGSAC gives a little weight to near outliers: 0.4 degrees
    assert found.inliers[30:].all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_matches_give_no_model(count):
    points = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    for found in (estimate_homography(points, points), estimate_motion(points.astype(float), points.astype(float), 1)):
        assert found.model is None and found.inliers.shape == (count,) and not found.inliers.any()


def test_matches_at_one_place_give_no_model():
    points = np.full((20, 2), 7, np.float32)
    assert estimate_homography(points, points).model is None


def test_pose_error_is_the_larger_of_rotation_and_direction():
    true = turn(0, [1.0, 0, 0])
    assert pose_error_deg(turn(7, [5.0, 0, 0]), true) == pytest.approx(7)
    oblique = [math.cos(0.3), math.sin(0.3), 0]
    assert pose_error_deg(turn(7, oblique), true) == pytest.approx(math.degrees(0.3))
    assert pose_error_deg(turn(0, [-1.0, 0, 0]), true) == pytest.approx(0)  # the sign is not known
    assert pose_error_deg(None, true) == INF


def test_without_a_baseline_the_rotation_alone_counts():
    assert pose_error_deg(turn(3, [0, 1.0, 0]), turn(0, [0, 0, 0])) == pytest.approx(3)
