# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The whole estimate, on scenes of known geometry: what is valid, and what is said where it is not."""

import numpy as np
import pytest
from two_view_scenes import (
    CAMERA,
    CONFIG,
    PLANE,
    T_GENERAL,
    K,
    assert_pose,
    assert_rotation_only,
    estimate,
    make,
    pose,
    rotation_xyz,
)

from lightmatch_ros.core.geometry import PoseModel, Reason

T_FORWARD = pose(rotation_xyz(0.1, 0.5, 0), (0.02, 0.01, 1.0))  # epipole in the image, as in driving


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
