# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The whole estimate behind lenses, of cameras that differ, and without calibration."""

import math

import numpy as np
import pytest
from two_view_scenes import (
    CAMERA,
    CONFIG,
    PLANE,
    SIZE,
    T_GENERAL,
    K,
    as_matches,
    assert_pose,
    assert_rotation_only,
    estimate,
    make,
    pose,
    rotation_xyz,
)

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.geometry import Reason, estimate_two_view


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
