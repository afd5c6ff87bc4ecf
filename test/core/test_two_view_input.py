# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The whole estimate on matches that say little or nothing, and its contract: same input, same output."""

import numpy as np
import pytest
from two_view_scenes import CAMERA, CONFIG, T_GENERAL, as_matches, estimate, make, pose, rotation_xyz

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry import PoseModel, Reason, estimate_two_view
from lightmatch_ros.core.types import Matches


@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 14])
@pytest.mark.parametrize("camera", [CAMERA, None])
def test_too_few_matches(count, camera):
    result = estimate(make(T_GENERAL, count=count), camera, camera)
    assert not result.homography.valid and not result.pose.valid and not result.pose.rotation_valid
    assert result.homography.reason is Reason.TOO_FEW_MATCHES
    assert result.pose.reason is (Reason.TOO_FEW_MATCHES if camera else Reason.UNCALIBRATED)
    assert result.inliers.shape == (count,) and not result.inliers.any()


@pytest.mark.parametrize("count", [5, 6, 7, 8])
def test_few_matches_do_where_the_user_says_so(count):
    """A minimal sample fits exactly, and which of its motions is right is not always decided."""
    config = GeometryConfig(min_inliers=4)
    scene = make(T_GENERAL, count=count)
    found = estimate_two_view(scene.matches, CAMERA, CAMERA, config).pose
    assert isinstance(found.reason, Reason) and found.valid == (found.reason is Reason.NONE)


def test_random_matches():
    rng = np.random.default_rng(3)
    matches = as_matches(rng.uniform(0, 480, (200, 2)), rng.uniform(0, 480, (200, 2)))
    result = estimate_two_view(matches, CAMERA, CAMERA, CONFIG)
    assert not result.homography.valid and not result.pose.valid


@pytest.mark.parametrize("shift", [(0.0, 0.0), (7.0, 3.0)])
def test_identical_points(shift):
    points = np.full((50, 2), 200.0)
    result = estimate_two_view(as_matches(points, points + shift), CAMERA, CAMERA, CONFIG)
    assert not result.homography.valid and not result.pose.valid
    assert np.isnan(result.homography.H).all()


@pytest.mark.parametrize("slope", [0.0, 0.7])
@pytest.mark.parametrize("noise_px", [0.0, 0.3])
def test_points_on_a_line(slope, noise_px):
    x = np.linspace(30, 600, 80)
    points = np.column_stack((x, 20 + slope * x))
    noise = np.random.default_rng(0).normal(0, noise_px, (80, 2))
    result = estimate_two_view(as_matches(points, points + np.array([9.0, 2.0]) + noise), CAMERA, CAMERA, CONFIG)
    assert not result.homography.valid and not result.pose.valid and not result.pose.rotation_valid


def test_bits():
    scene = make(T_GENERAL, noise_px=0.5, outliers=0.3)
    result = estimate(scene)
    assert result.inliers.dtype == np.uint8
    np.testing.assert_array_equal(result.inliers & 1 > 0, result.pose.inliers)
    np.testing.assert_array_equal(result.inliers & 2 > 0, result.pose.inliers_e)
    np.testing.assert_array_equal(result.inliers & 4 > 0, result.homography.inliers)
    np.testing.assert_array_equal(result.selected, result.pose.inliers)
    assert result.pose.num_inliers_h == result.homography.num_inliers


@pytest.mark.parametrize("truth", [T_GENERAL, pose(rotation_xyz(3, 10, 2), (0, 0, 0))])
def test_same_input_same_output(truth):
    scene = make(truth, noise_px=0.5, outliers=0.4)
    first, second = estimate(scene), estimate(scene)
    np.testing.assert_array_equal(first.pose.T_0_from_1, second.pose.T_0_from_1)
    np.testing.assert_array_equal(first.pose.covariance, second.pose.covariance)
    np.testing.assert_array_equal(first.inliers, second.inliers)


def test_order_of_the_matches_plays_no_part():
    scene = make(T_GENERAL, noise_px=0.5, outliers=0.3)
    given = scene.matches
    shuffle = np.random.default_rng(0).permutation(len(given))
    shuffled = Matches(
        given.points0[shuffle],
        given.points1[shuffle],
        given.scores[shuffle],
        given.indices0[shuffle],
        given.indices1[shuffle],
        given.num_keypoints0,
        given.num_keypoints1,
        given.stop_layer,
        given.kept_ratio,
    )
    first, second = estimate(scene), estimate_two_view(shuffled, CAMERA, CAMERA, CONFIG)
    np.testing.assert_array_equal(first.pose.T_0_from_1, second.pose.T_0_from_1)
    np.testing.assert_array_equal(first.inliers[shuffle], second.inliers)


def test_input_is_left_as_it_was():
    scene = make(T_GENERAL, noise_px=0.5)
    before = scene.matches.points0.copy(), scene.matches.points1.copy(), scene.matches.scores.copy()
    estimate(scene)
    for old, new in zip(before, (scene.matches.points0, scene.matches.points1, scene.matches.scores), strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_reason_reads_as_text():
    assert [r for r in Reason if not r.value] == [Reason.NONE]
    assert [int(m) for m in PoseModel] == [0, 1, 2, 3]
