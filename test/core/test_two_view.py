# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The whole estimate, on scenes of known geometry: what is valid, and what is said where it is not."""

import math

import numpy as np
import pytest
from two_view_scenes import (
    CAMERA,
    SIZE,
    K,
    as_matches,
    direction_error_deg,
    make,
    pose,
    rotation_error_deg,
    rotation_xyz,
)

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.geometry import PoseModel, Reason, estimate_two_view
from lightmatch_ros.core.types import Matches

CONFIG = GeometryConfig()
T_GENERAL = pose(rotation_xyz(3, -8, 5), (0.5, 0.1, 0.2))
T_FORWARD = pose(rotation_xyz(0.1, 0.5, 0), (0.02, 0.01, 1.0))  # epipole in the image, as in driving
PLANE = (0.1, 0.2, 1.0, 6.0)


def estimate(scene, camera0=CAMERA, camera1=CAMERA, **more):
    return estimate_two_view(scene.matches, camera0, camera1, CONFIG, **more)


def assert_pose(result, scene, rotation_deg=0.3, direction_deg=2.0):
    found = result.pose
    assert found.valid and found.rotation_valid and found.reason is Reason.NONE and not found.metric
    T = found.T_0_from_1
    assert rotation_error_deg(T[:3, :3], scene.T_0_from_1[:3, :3]) < rotation_deg
    assert direction_error_deg(T[:3, 3], scene.direction) < direction_deg
    assert np.linalg.norm(T[:3, 3]) == pytest.approx(1.0)
    assert T[3].tolist() == [0, 0, 0, 1]


def assert_rotation_only(result, scene, reasons, rotation_deg=0.15):
    found = result.pose
    assert not found.valid and found.rotation_valid and found.reason in reasons
    assert rotation_error_deg(found.T_0_from_1[:3, :3], scene.T_0_from_1[:3, :3]) < rotation_deg
    assert not found.T_0_from_1[:3, 3].any()
    assert found.covariance_valid and np.diag(found.covariance)[:3].min() == 1e6


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.5, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_general_motion(outliers, seed):
    scene = make(T_GENERAL, noise_px=0.5, outliers=outliers, seed=seed)
    result = estimate(scene)
    assert_pose(result, scene)
    assert result.pose.model is PoseModel.ESSENTIAL
    assert result.pose.ratio_h < 0.4
    assert result.pose.rotation_deg == pytest.approx(9.9, abs=0.3)  # of Rz(5) Ry(-8) Rx(3)
    assert result.pose.inliers[scene.inlier].mean() > 0.9
    assert result.pose.inliers[~scene.inlier].sum() <= 0.06 * 300  # a random match may lie on its epipolar line
    assert 0.3 < result.pose.rms_px < 0.6  # Sampson's share of 0.5 px, cut at 1 px


def test_median_parallax_is_that_of_the_scene():
    scene = make(T_GENERAL)
    rays0 = scene.points / np.linalg.norm(scene.points, axis=1, keepdims=True)
    rays1 = scene.points - T_GENERAL[:3, 3]
    rays1 /= np.linalg.norm(rays1, axis=1, keepdims=True)
    expected = np.degrees(np.median(np.arccos(np.sum(rays0 * rays1, axis=1))))
    assert estimate(scene).pose.median_parallax_deg == pytest.approx(expected, rel=1e-3)


def test_essential_matrix_holds_on_its_inliers():
    scene = make(T_GENERAL)
    found = estimate(scene).pose
    x0, x1 = (
        np.column_stack((CAMERA.normalize(p), np.ones(300))) for p in (scene.matches.points0, scene.matches.points1)
    )
    assert found.num_inliers_e == 300
    assert np.abs(np.einsum("ni,ij,nj->n", x1, found.E, x0)).max() < 1e-5
    assert np.linalg.norm(found.E) == pytest.approx(1.0)


@pytest.mark.parametrize("outliers", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_driving(outliers, seed):
    scene = make(T_FORWARD, depth=(6, 60), noise_px=0.3, outliers=outliers, count=400, seed=seed)
    assert_pose(estimate(scene), scene, rotation_deg=0.15, direction_deg=3.0)


def test_half_a_turn_about_the_axis():
    scene = make(pose(rotation_xyz(0, 0, 180), (0.5, 0.1, 0.1)), noise_px=0.5, outliers=0.3)
    result = estimate(scene)
    assert_pose(result, scene)
    assert result.pose.rotation_deg == pytest.approx(180, abs=0.3)


def test_sideways_without_rotation():
    scene = make(pose(np.eye(3), (0.5, 0, 0)), noise_px=0.5, outliers=0.3)
    assert_pose(estimate(scene), scene)


@pytest.mark.parametrize("plane", [None, PLANE])
@pytest.mark.parametrize("noise_px", [0.0, 0.5])
@pytest.mark.parametrize("R", [np.eye(3), rotation_xyz(3, 10, 2), rotation_xyz(0, 0, 90)])
def test_pure_rotation(plane, noise_px, R):
    scene = make(pose(R, (0, 0, 0)), plane=plane, noise_px=noise_px, outliers=0.3)
    result = estimate(scene)
    assert_rotation_only(result, scene, [Reason.PURE_ROTATION])
    assert result.homography.valid
    # x1 ~ H x0 with X0 = R X1: H = K R^T K^-1.
    expected = K @ R.T @ np.linalg.inv(K)
    np.testing.assert_allclose(result.homography.H, expected / expected[2, 2], rtol=0.02, atol=1.5)


def test_tiny_baseline():
    scene = make(pose(rotation_xyz(3, 10, 2), (0.005, 0, 0)), noise_px=0.5, outliers=0.3)
    assert_rotation_only(estimate(scene), scene, [Reason.PURE_ROTATION, Reason.LOW_PARALLAX])


def test_low_parallax():
    """0.25 degrees for the middle of the scene: a homography does not fit, the direction is not to be had."""
    scene = make(pose(rotation_xyz(1, 2, 0), (0.03, 0, 0)), depth=(3, 20), noise_px=0.2)
    result = estimate(scene)
    assert_rotation_only(result, scene, [Reason.LOW_PARALLAX, Reason.PURE_ROTATION], rotation_deg=0.3)
    assert result.pose.median_parallax_deg < CONFIG.min_parallax_deg


@pytest.mark.parametrize("seed", range(5))
def test_plane(seed):
    """Tilted against the translation: points decide by being in front; or the pose is not claimed."""
    scene = make(T_GENERAL, plane=PLANE, noise_px=0.3, outliers=0.3, seed=seed)
    result = estimate(scene)
    assert result.pose.ratio_h > CONFIG.max_ratio_h
    if result.pose.valid:
        assert_pose(result, scene, rotation_deg=0.5, direction_deg=4.0)
        assert result.pose.model is PoseModel.HOMOGRAPHY
    else:
        assert result.pose.reason is Reason.PLANAR_AMBIGUOUS and not result.pose.rotation_valid
    assert result.inliers[scene.inlier].all()


def test_exact_plane_is_decided_by_what_is_in_front():
    scene = make(T_GENERAL, plane=PLANE)
    assert_pose(estimate(scene), scene, rotation_deg=0.01, direction_deg=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_road_alone_is_ambiguous(seed):
    """Both solutions have the road in front of the cameras, and nothing else is seen."""
    scene = make(T_FORWARD, plane=(0, 1, 0.01, 1.5), noise_px=0.5, outliers=0.3, seed=seed)
    found = estimate(scene).pose
    assert not found.valid and not found.rotation_valid and found.reason is Reason.PLANAR_AMBIGUOUS
    assert np.isnan(found.T_0_from_1).all() and not found.covariance_valid
    assert found.inliers[scene.inlier].mean() > 0.9  # tracking goes on


@pytest.mark.parametrize("off_plane", [0.15, 0.3])
def test_mostly_a_plane(off_plane):
    scene = make(T_GENERAL, plane=PLANE, off_plane=off_plane, noise_px=0.3, outliers=0.2)
    assert_pose(estimate(scene), scene, rotation_deg=0.4)


def test_cameras_that_differ():
    wide = CameraModel.from_matrix([[300, 0, 400], [0, 310, 300], [0, 0, 1]], (800, 600))
    scene = make(T_GENERAL, camera1=wide, noise_px=0.4, outliers=0.3)
    assert_pose(estimate(scene, CAMERA, wide), scene, rotation_deg=0.4)


LENSES = [
    CameraModel(K, np.array([-0.28, 0.09, 1e-3, -5e-4, 0.0]), DistortionModel.PLUMB_BOB, *SIZE),
    CameraModel(
        K,
        np.array([0.5, -0.3, 0.001, -0.002, 0.1, 0.6, -0.2, 0.05]),
        DistortionModel.RATIONAL_POLYNOMIAL,
        *SIZE,
    ),
    CameraModel(
        np.array([[280.0, 0, 320], [0, 280, 240], [0, 0, 1]]),
        np.array([-0.01, 0.02, -0.01, 0.002]),
        DistortionModel.EQUIDISTANT,
        *SIZE,
    ),
]


@pytest.mark.parametrize("camera", LENSES)
def test_lens_distortion(camera):
    scene = make(T_GENERAL, camera0=camera, camera1=camera, noise_px=0.2, outliers=0.3, count=400)
    result = estimate(scene, camera, camera)
    assert_pose(result, scene, rotation_deg=0.5, direction_deg=2.5)


@pytest.mark.parametrize("camera", LENSES)
def test_rotation_behind_a_lens(camera):
    """In distorted pixels a rotation is no homography; between the rays it is."""
    scene = make(pose(rotation_xyz(2, 12, 5), (0, 0, 0)), camera0=camera, camera1=camera, noise_px=0.2, outliers=0.2)
    assert_rotation_only(estimate(scene, camera, camera), scene, [Reason.PURE_ROTATION], rotation_deg=0.1)


def test_points_that_have_no_ray_take_no_part():
    camera = LENSES[2]
    scene = make(T_GENERAL, camera0=camera, camera1=camera, noise_px=0.2)
    points0 = scene.matches.points0.copy()
    points0[:5] = [5000.0, 240.0]  # far outside the image circle
    moved = as_matches(points0, scene.matches.points1, scene.matches.scores)
    result = estimate_two_view(moved, camera, camera, CONFIG)
    assert result.pose.valid and not (result.inliers[:5] & 3).any()


@pytest.mark.parametrize("cameras", [(None, None), (CAMERA, None), (None, CAMERA)])
def test_uncalibrated(cameras):
    scene = make(T_GENERAL, plane=PLANE, noise_px=0.3, outliers=0.3)
    result = estimate(scene, *cameras, size0=SIZE, size1=SIZE)
    assert result.homography.valid and 0.5 < result.homography.overlap < 1.0
    assert not result.pose.valid and not result.pose.rotation_valid
    assert result.pose.reason is Reason.UNCALIBRATED
    assert np.isnan(result.pose.T_0_from_1).all() and math.isnan(result.pose.rotation_deg)
    # Without a pose, the homography is the model that was selected.
    np.testing.assert_array_equal(result.inliers, np.where(result.homography.inliers, 1 | 4, 0))


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
