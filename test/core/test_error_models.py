# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Errors in pixels and their derivatives, against small displacements and finite differences."""

import math

import numpy as np
import pytest
from two_view_scenes import make, pose, rotation_xyz

from lightmatch_ros.core.geometry.error_models import ReprojectionError, SampsonError, tangent_plane
from lightmatch_ros.core.geometry.least_squares import assess, leverages, refine
from lightmatch_ros.core.geometry.motion import Motion, homogeneous, rotation_vector

R = rotation_xyz(3, -8, 5)
T = np.array([0.5, 0.1, 0.2])
SCENE = make(pose(R, tuple(T)), count=40)
UNIT = Motion(R, T / np.linalg.norm(T))
METRIC = Motion(R, T)


def exact_rays(points, motion):
    seen = (points - motion.t) @ motion.R
    return points / points[:, 2:], seen / seen[:, 2:]


def sampson(focal0=500.0, focal1=700.0, noise=0.0):
    x0, x1 = exact_rays(SCENE.points, METRIC)
    rng = np.random.default_rng(0)
    x0[:, :2] += rng.normal(0, noise, (40, 2)) / focal0
    x1[:, :2] += rng.normal(0, noise, (40, 2)) / focal1
    return SampsonError(x0, x1, focal0, focal1)


def reprojection(rotation_only, noise=0.0):
    _, x1 = exact_rays(SCENE.points, METRIC)
    x1[:, :2] += np.random.default_rng(0).normal(0, noise, (40, 2)) / 600.0
    return ReprojectionError(SCENE.points, x1, 600.0, rotation_only)


@pytest.mark.parametrize(
    ("error", "motion"),
    [(sampson(noise=3.0), UNIT), (reprojection(False, 3.0), METRIC), (reprojection(True, 3.0), METRIC)],
)
def test_derivatives(error, motion):
    here = error.linearise(motion)
    step = 1e-6
    for k, direction in enumerate(here.basis.T):
        ahead = error.linearise(error.retract(motion, step * direction)).residuals
        back = error.linearise(error.retract(motion, -step * direction)).residuals
        np.testing.assert_allclose(here.jacobian[:, k], (ahead - back) / (2 * step), atol=1e-4)


def test_sampson_error_is_the_distance_in_pixels():
    """Moved by 1 px across its epipolar line in one image, a match is 1 px off in that image's share."""
    error = sampson()
    np.testing.assert_allclose(error.residuals(UNIT), 0.0, atol=1e-9)
    line = error.x0 @ UNIT.essential.T  # in image 1
    across = line[:, :2] / np.linalg.norm(line[:, :2], axis=1, keepdims=True)
    x1 = error.x1 + np.column_stack((across, np.zeros(40))) / error.focal1
    moved = SampsonError(error.x0, x1, error.focal0, error.focal1)
    gradient0 = np.linalg.norm((x1 @ UNIT.essential)[:, :2], axis=1) / error.focal0
    gradient1 = np.linalg.norm(line[:, :2], axis=1) / error.focal1
    share = gradient1 / np.hypot(gradient0, gradient1)
    np.testing.assert_allclose(np.abs(moved.residuals(UNIT)), share, rtol=0.02)


def test_reprojection_error_is_the_distance_in_pixels():
    error = reprojection(False)
    np.testing.assert_allclose(error.linearise(METRIC).residuals, 0.0, atol=1e-9)
    x1 = error.x1 + np.array([3.0, -4.0, 0.0]) / 600.0
    moved = ReprojectionError(error.points, x1, 600.0)
    np.testing.assert_allclose(moved.linearise(METRIC).residuals, np.tile([[-3.0], [4.0]], 40), atol=1e-9)


def test_point_behind_the_camera_is_far_off():
    error = ReprojectionError(np.array([[0.1, 0, -1], [0, 0, 1]]), homogeneous(np.zeros((2, 2))), 600.0)
    fit = assess(error, Motion(np.eye(3), np.zeros(3)), 100.0)
    assert fit.inliers.tolist() == [False, True] and fit.errors[0] > 1e6


@pytest.mark.parametrize("t", [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1], [0.6, -0.48, -0.64]])
def test_tangent_plane(t):
    basis = np.column_stack((t, tangent_plane(np.array(t))))
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-15)


def test_refine_finds_the_motion_again():
    """From a start a few tenths of a degree off, at the threshold that takes all in."""
    start = Motion(rotation_xyz(3.2, -7.9, 5.1), UNIT.t)
    found = refine(sampson(), start, 50.0).motion
    np.testing.assert_allclose(found.R, R, atol=1e-7)
    np.testing.assert_allclose(found.t, UNIT.t, atol=1e-6)
    found = refine(reprojection(False), Motion(start.R, T + 0.02), 50.0).motion
    np.testing.assert_allclose(found.matrix, METRIC.matrix, atol=1e-7)


def test_refine_without_a_match_stays_where_it_is():
    nothing = ReprojectionError(np.zeros((0, 3)), np.zeros((0, 3)), 600.0)
    fit = refine(nothing, METRIC, 2.0)
    np.testing.assert_array_equal(fit.motion.matrix, METRIC.matrix)
    assert fit.inliers.shape == (0,) and np.isnan(fit.rms_px)


def test_refine_leaves_outliers_out():
    error = sampson()
    x1 = error.x1.copy()
    x1[:12, :2] += 0.1
    fit = refine(SampsonError(error.x0, x1, 500.0, 700.0), Motion(rotation_xyz(3.1, -8, 5), UNIT.t), 2.0)
    np.testing.assert_allclose(fit.motion.R, R, atol=1e-6)
    assert fit.inliers[12:].all() and fit.rms_px < 1e-3


def test_refine_leaves_out_what_is_rejected():
    never = np.arange(40) < 5
    fit = refine(sampson(), UNIT, 2.0, lambda motion: never)
    np.testing.assert_array_equal(fit.inliers, ~never)


def test_an_outlier_with_leverage_does_not_hold_the_motion():
    """Started where one far-off match has pulled the fit: its residual is small, its leverage is not."""
    truth = Motion(np.eye(3), np.zeros(3))
    points = np.column_stack((np.random.default_rng(0).normal(0, 0.02, (30, 2)), np.ones(30)))
    points[0] = [1.0, 0.0, 1.0]  # all others are near the axis, so this one alone tells the roll
    x1 = points + np.column_stack((np.random.default_rng(1).normal(0, 2e-4, (30, 2)), np.zeros(30)))
    x1[0, :2] = math.cos(math.radians(10)), math.sin(math.radians(10))
    error = ReprojectionError(points, x1, 500.0, rotation_only=True)
    captured = Motion(rotation_xyz(rz_deg=-10), np.zeros(3))
    assert assess(error, captured, 4.0).inliers[0]
    fit = refine(error, captured, 4.0)
    assert not fit.used[0]
    assert np.abs(rotation_vector(fit.motion.R)[:2]).max() < 1e-3
    assert assess(error, truth, 4.0).inliers.sum() == 29


def test_leverages_sum_to_the_parameters():
    here = sampson().linearise(UNIT)
    shares = leverages(here)
    assert shares.sum() == pytest.approx(5.0) and shares.min() >= 0 and shares.max() <= 1
    alone = here.select(np.arange(40) < 5)  # five matches for five parameters: each its own
    np.testing.assert_allclose(leverages(alone), 0.999)
