# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Homographies of known planes, and the overlap that they make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.homography import estimate_homography, is_narrow, overlap_of, transfer_errors
from lightmatch_ros.core.geometry.results import Reason

CONFIG = GeometryConfig()
SIZE = (640, 480)
H = np.array([[1.1, 0.08, -30.0], [-0.05, 0.95, 20.0], [2e-4, -1e-4, 1.0]])


def warp(matrix, points):
    image = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return image[:, :2] / image[:, 2:]


def matches(count, noise_px=0.0, outliers=0.0, seed=0, matrix=H):
    """Points, their images, and which are true; the true ones first, as a matcher's scores would have it."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform((0, 0), SIZE, (count, 2))
    points1 = warp(matrix, points0) + rng.normal(0, noise_px, (count, 2))
    wrong = rng.permutation(count) < round(outliers * count)
    points1[wrong] = rng.uniform((0, 0), SIZE, (wrong.sum(), 2))
    return points0, points1, ~wrong


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.6])
def test_known_homography(outliers):
    points0, points1, true = matches(300, 0.5, outliers)
    estimate = estimate_homography(points0, points1, CONFIG, SIZE, SIZE)
    assert estimate.valid and estimate.reason is Reason.NONE
    assert estimate.H[2, 2] == 1.0
    corners = np.array([[0.0, 0], [639, 0], [639, 479], [0, 479]])
    # 120 points or more with 0.5 px: the corners are off by a few tenths at the most.
    assert np.linalg.norm(warp(estimate.H, corners) - warp(H, corners), axis=1).max() < 0.8
    assert estimate.inliers[true].mean() > 0.98
    assert estimate.inliers[~true].sum() <= 3
    assert estimate.num_inliers == estimate.inliers.sum()
    assert 0.6 < estimate.rms_px < 0.8  # 0.5 px in each of two coordinates is 0.71


def test_exact_matches_give_the_exact_homography():
    points0, points1, _ = matches(50)
    estimate = estimate_homography(points0, points1, CONFIG)
    np.testing.assert_allclose(estimate.H, H, rtol=1e-5, atol=1e-6)
    assert np.isnan(estimate.overlap)  # no sizes were given


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 14])
def test_too_few_matches(count):
    points0, points1, _ = matches(count)
    estimate = estimate_homography(points0, points1, CONFIG, SIZE, SIZE)
    assert not estimate.valid and estimate.reason is Reason.TOO_FEW_MATCHES
    assert np.isnan(estimate.H).all() and estimate.inliers.shape == (count,) and not estimate.inliers.any()


def test_four_matches_do_where_the_user_says_so():
    points0 = np.array([[10.0, 10], [600, 30], [580, 440], [40, 460]])
    estimate = estimate_homography(points0, warp(H, points0), GeometryConfig(min_inliers=4))
    assert estimate.valid
    np.testing.assert_allclose(estimate.H, H, rtol=1e-4, atol=1e-5)


def test_random_matches():
    rng = np.random.default_rng(1)
    estimate = estimate_homography(rng.uniform(0, 480, (100, 2)), rng.uniform(0, 480, (100, 2)), CONFIG)
    assert not estimate.valid and estimate.reason is Reason.TOO_FEW_INLIERS


@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_points_on_a_line(slope):
    x = np.linspace(0, 600, 60)
    points = np.column_stack((x, 10 + slope * x))
    estimate = estimate_homography(points, points + 5.0, CONFIG, SIZE, SIZE)
    assert not estimate.valid and estimate.reason in (Reason.DEGENERATE, Reason.TOO_FEW_INLIERS)


def test_identical_points():
    points = np.full((60, 2), 100.0)
    estimate = estimate_homography(points, points, CONFIG, SIZE, SIZE)
    assert not estimate.valid and estimate.reason in (Reason.DEGENERATE, Reason.TOO_FEW_INLIERS)


def test_mirrored_image_is_no_view_of_a_plane():
    mirror = np.array([[-1.0, 0, 639], [0, 1, 0], [0, 0, 1]])
    points0, points1, _ = matches(100, matrix=mirror)
    assert not estimate_homography(points0, points1, CONFIG).valid


def test_same_input_same_output():
    points0, points1, _ = matches(300, 0.5, 0.4)
    first, second = (estimate_homography(points0, points1, CONFIG, SIZE, SIZE) for _ in range(2))
    np.testing.assert_array_equal(first.H, second.H)
    np.testing.assert_array_equal(first.inliers, second.inliers)


def test_horizon_in_the_keyframe():
    """Half of the keyframe lies behind the horizon; its matches there are not inliers."""
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [0, -1 / 200, 1.0]])  # w = 0 at y = 200
    rng = np.random.default_rng(0)
    points0 = rng.uniform((0, 0), (640, 400), (200, 2))
    near_side = points0[:, 1] < 150
    points0 = np.concatenate((points0[near_side], points0[~near_side][:30]))
    points1 = warp(matrix, points0)
    errors = transfer_errors(matrix, points0, points1)
    np.testing.assert_array_equal(errors < 1, points0[:, 1] < 200)
    np.testing.assert_array_equal(errors == np.inf, points0[:, 1] > 200)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.eye(3), 1.0),
        (np.array([[1, 0, 320], [0, 1, 0], [0, 0, 1.0]]), 0.5),
        (np.array([[1, 0, 320], [0, 1, -240], [0, 0, 1.0]]), 0.25),
        (np.array([[1, 0, 640], [0, 1, 0], [0, 0, 1.0]]), 0.0),
        (np.array([[1, 0, 5000], [0, 1, 0], [0, 0, 1.0]]), 0.0),
        (np.diag([0.5, 0.5, 1.0]), 0.25),
        (np.array([[3, 0, -640], [0, 3, -480], [0, 0, 1.0]]), 1.0),
    ],
)
def test_overlap_of_simple_warps(matrix, expected):
    assert overlap_of(matrix, SIZE, SIZE) == pytest.approx(expected, abs=2e-3)


@settings(max_examples=40, deadline=None)
@given(
    a=st.floats(-0.006, 0.006),
    b=st.floats(-0.006, 0.006),
    turn=st.floats(-3.2, 3.2),
    x=st.floats(-300, 300),
    y=st.floats(-300, 300),
)
def test_overlap_counts_pixels(a, b, turn, x, y):
    """Against counting: pixels of the current image whose ray meets the keyframe, in front of it.

    Perspective up to 0.006 puts the line at infinity into the keyframe.
    """
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s, x], [s, c, y], [a, b, 1.0]])
    if abs(np.linalg.det(matrix)) < 1e-2:
        return
    grid = np.stack(np.meshgrid(np.arange(0, 320, 4) + 1.5, np.arange(0, 240, 4) + 1.5), -1).reshape(-1, 2)
    source = np.column_stack((grid, np.ones(len(grid)))) @ np.linalg.inv(matrix).T
    points = source[:, :2] / source[:, 2:]
    inside = (points > -0.5).all(axis=1) & (points < (319.5, 239.5)).all(axis=1) & (source[:, 2] > 0)
    assert overlap_of(matrix, (320, 240), (320, 240)) == pytest.approx(inside.mean(), abs=0.03)


def test_narrow_points():
    rng = np.random.default_rng(0)
    line = np.column_stack((np.linspace(0, 500, 50), np.linspace(0, 300, 50)))
    assert is_narrow(line + rng.normal(0, 0.5, (50, 2)), 2.0)
    assert not is_narrow(line + rng.normal(0, 10, (50, 2)), 2.0)
    assert is_narrow(np.full((50, 2), 7.0), 2.0)
    assert is_narrow(np.zeros((0, 2)), 2.0) and is_narrow(line[:2], 2.0)
