# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Depth at keypoints, and poses in metres from it."""

import numpy as np
import pytest
from two_view_scenes import (
    CAMERA,
    CONFIG,
    SIZE,
    K,
    as_matches,
    direction_error_deg,
    make,
    pose,
    rotation_error_deg,
    rotation_xyz,
)

from lightmatch_ros.core.errors import CalibrationError
from lightmatch_ros.core.geometry import PoseModel, Reason, estimate_two_view
from lightmatch_ros.core.geometry.metric import depth_at

T_METRES = pose(rotation_xyz(3, -8, 5), (0.3, 0.1, -0.2))
PLANES = [(0.3, 0.1, 1.0, 4.0), (-0.4, 0.2, 1.0, 5.0)]  # a x + b y + c z = d: the nearer one is seen


def depth_image():
    """Two planes that meet; depth rendered by intersecting the ray of each pixel."""
    u, v = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = np.stack(((u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)), -1)
    return np.min([d / (rays @ [a, b, c]) for a, b, c, d in PLANES], axis=0).astype(np.float32)


def scene(T_0_from_1, noise_px=0.3, outliers=0.3, count=300, seed=0):
    """Matches on the two planes, with their depth image."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform((0, 0), (639, 479), (count, 2))
    rays = np.column_stack(((pixels - K[:2, 2]) / K[0, 0], np.ones(count)))
    points = rays * np.min([d / (rays @ [a, b, c]) for a, b, c, d in PLANES], axis=0)[:, None]
    seen = (points - T_0_from_1[:3, 3]) @ T_0_from_1[:3, :3]
    points0 = pixels + rng.normal(0, noise_px, (count, 2))
    points1 = K[0, 0] * seen[:, :2] / seen[:, 2:] + K[:2, 2] + rng.normal(0, noise_px, (count, 2))
    wrong = rng.permutation(count) < round(outliers * count)
    points1[wrong] = rng.uniform((0, 0), (639, 479), (wrong.sum(), 2))
    return as_matches(points0, points1, rng.uniform(0.1, 1, count)), depth_image()


def estimate_pose(matches, depth):
    return estimate_two_view(matches, CAMERA, CAMERA, CONFIG, depth0=depth).pose


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.6])
def test_pose_in_metres(outliers):
    matches, depth = scene(T_METRES, outliers=outliers)
    estimate = estimate_pose(matches, depth)
    assert estimate.valid and estimate.rotation_valid and estimate.metric
    assert estimate.model is PoseModel.PNP and estimate.reason is Reason.NONE
    assert np.linalg.norm(estimate.T_0_from_1[:3, 3] - T_METRES[:3, 3]) < 0.02
    assert rotation_error_deg(estimate.T_0_from_1[:3, :3], T_METRES[:3, :3]) < 0.15
    assert estimate.inliers.sum() > 0.85 * (1 - outliers) * 300
    assert estimate.num_inliers_e > 0 and np.isfinite(estimate.E).all()
    assert np.sqrt(np.diag(estimate.covariance)[:3]).max() < 0.02


@pytest.mark.parametrize("t", [(0.0, 0.0, 0.0), (0.002, 0.0, 0.001)])
def test_depth_makes_a_rotation_valid(t):
    T = pose(rotation_xyz(1, 6, -2), t)
    matches, depth = scene(T)
    assert not estimate_pose(matches, None).valid
    estimate = estimate_pose(matches, depth)
    assert estimate.valid and estimate.metric
    assert np.linalg.norm(estimate.T_0_from_1[:3, 3] - t) < 0.01


def test_exact_matches():
    matches, depth = scene(T_METRES, noise_px=0.0, outliers=0.0)
    # The depth of the nearest pixel, not of the point, is what limits the accuracy.
    estimate = estimate_pose(matches, depth)
    np.testing.assert_allclose(estimate.T_0_from_1, T_METRES, atol=2e-3)


@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_without_depth_the_pose_is_monocular(fill):
    drawn = make(T_METRES, noise_px=0.3)
    depth = np.full(SIZE[::-1], fill, np.float32)
    estimate = estimate_pose(drawn.matches, depth)
    assert estimate.valid and not estimate.metric and estimate.model is PoseModel.ESSENTIAL
    assert direction_error_deg(estimate.T_0_from_1[:3, 3], drawn.direction) < 2


def test_few_depths_do_not_serve():
    matches, depth = scene(T_METRES, count=200)
    sparse = np.where(np.arange(SIZE[0]) < 20, depth, 0).astype(np.float32)
    assert not estimate_pose(matches, sparse).metric


def test_wrong_depth_agrees_with_no_pose():
    matches, _ = scene(T_METRES)
    noise = np.random.default_rng(0).uniform(1, 100, SIZE[::-1]).astype(np.float32)
    assert not estimate_pose(matches, noise).metric


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
def test_too_few_matches(count):
    matches, depth = scene(pose(np.eye(3), (0.1, 0, 0)), count=count)
    estimate = estimate_pose(matches, depth)
    assert not estimate.valid and estimate.reason is Reason.TOO_FEW_MATCHES


def test_matches_on_a_line_do_not_serve():
    points = np.column_stack((np.linspace(50, 600, 60), np.full(60, 240.0)))
    matches = as_matches(points, points + np.array([8.0, 0.0]))
    estimate = estimate_pose(matches, depth_image())
    assert not estimate.valid


def test_same_input_same_output():
    matches, depth = scene(T_METRES)
    first, second = (estimate_pose(matches, depth) for _ in range(2))
    np.testing.assert_array_equal(first.T_0_from_1, second.T_0_from_1)
    np.testing.assert_array_equal(first.covariance, second.covariance)


def test_depth_of_another_size():
    matches, depth = scene(pose(np.eye(3), (0.1, 0, 0)))
    with pytest.raises(CalibrationError, match="depth image: got 320x240, wanted 640x480"):
        estimate_two_view(matches, CAMERA, CAMERA, CONFIG, depth0=depth[::2, ::2])


def test_depth_is_that_of_the_nearest_pixel():
    depth = np.array([[2.0, 2.02, 2.04], [2.01, 2.03, 2.05], [2.02, 2.04, 2.06]], np.float32)
    points = np.array([[0.0, 0.0], [1.4, 0.6], [2.3, 1.6], [1.49, 1.51]])
    np.testing.assert_allclose(depth_at(depth, points), [2.0, 2.03, 2.06, 2.04], rtol=1e-6)


def test_depth_of_a_hole_is_that_of_its_nearest_neighbour():
    depth = np.full((5, 5), 3.0, np.float32)
    depth[2, 2], depth[2, 3] = 0.0, 3.05
    np.testing.assert_allclose(depth_at(depth, np.array([[2.2, 2.0]])), [3.05])


def test_no_depth():
    depth = np.zeros((20, 20), np.float32)
    depth[:, 10:] = 4.0
    depth[:, 15:] = 2.0  # an edge between columns 14 and 15
    depth[19, 12] = np.nan
    points = np.array([[3.0, 5.0], [14.4, 5.0], [12.0, 5.0], [-3.0, 5.0], [12.0, 25.0], [np.nan, 5.0], [12.0, 19.0]])
    np.testing.assert_allclose(depth_at(depth, points), [np.nan, np.nan, 4.0, np.nan, np.nan, np.nan, 4.0])
    assert depth_at(depth, np.zeros((0, 2))).shape == (0,)
