# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Covariances against the scatter of estimates over many draws of noise (Monte Carlo)."""

import math

import numpy as np
import pytest
from two_view_scenes import CAMERA, SIZE, make, pose, rotation_xyz

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry import Reason, estimate_two_view
from lightmatch_ros.core.geometry.covariance import (
    FLOOR_PX,
    SCALE_VARIANCE,
    UNOBSERVABLE_VARIANCE,
    direction_std_deg,
    noise_variance,
    pose_covariance,
    residual_variance,
    without_translation,
)
from lightmatch_ros.core.geometry.least_squares import Linearisation

DRAWS = 60
T_SIDE = pose(rotation_xyz(3, -8, 5), (0.5, 0.1, 0.2))
T_FORWARD = pose(rotation_xyz(0.1, 0.5, 0), (0.02, 0.01, 1.0))


def rotation_vector(R):
    """Small rotations alone: the antisymmetric part."""
    return 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])


def error_vector(estimate, truth):
    """(x y z rx ry rz): truth minus estimate, rotation about the fixed axes of frame 0."""
    t_true = truth[:3, 3]
    if not estimate.metric and t_true.any():
        t_true = t_true / np.linalg.norm(t_true)
    turn = rotation_vector(truth[:3, :3] @ estimate.T_0_from_1[:3, :3].T)
    return np.concatenate((t_true - estimate.T_0_from_1[:3, 3], turn))


def mean_nees(truth, depth_of=None, **scene):
    """Mean of e^T C^-1 e over the draws: the number of free parameters, where C is right."""
    values = []
    for seed in range(DRAWS):
        drawn = make(truth, count=200, seed=seed, **scene)
        depth = None if depth_of is None else depth_of(drawn)
        estimate = estimate_two_view(drawn.matches, CAMERA, CAMERA, GeometryConfig(), depth0=depth).pose
        assert estimate.covariance_valid
        error = error_vector(estimate, truth)
        values.append(error @ np.linalg.solve(estimate.covariance, error))
    return float(np.mean(values))


@pytest.mark.parametrize(
    ("truth", "scene"),
    [
        (T_SIDE, {"noise_px": 0.3}),
        (T_SIDE, {"noise_px": 0.8}),  # the gate at 1 px cuts a fifth of it
        (T_SIDE, {"noise_px": 0.5, "outliers": 0.3}),
        (T_FORWARD, {"noise_px": 0.3, "depth": (6, 60), "outliers": 0.3}),
    ],
)
def test_essential_covariance_is_consistent(truth, scene):
    # 5 free parameters.
    assert 5 / 2 < mean_nees(truth, **scene) < 5 * 2


def test_rotation_covariance_is_consistent():
    truth = pose(rotation_xyz(3, 10, 2), (0, 0, 0))
    assert 3 / 2 < mean_nees(truth, noise_px=0.5, outliers=0.3) < 3 * 2


def test_metric_covariance_is_consistent():
    """Depth of a frontal plane at 4 m; the keyframe's keypoint noise enters by the residuals."""

    def depth_of(_):
        return np.full(SIZE[::-1], 4.0, np.float32)

    nees = mean_nees(T_SIDE, depth_of, plane=(0, 0, 1, 4), noise_px=0.3, outliers=0.3)
    assert 6 / 2 < nees < 6 * 2


def test_essential_covariance_by_block():
    """Scatter of each observable component within a factor of two of the reported deviation."""
    errors, deviations = [], []
    for seed in range(DRAWS):
        scene = make(T_SIDE, count=200, seed=seed, noise_px=0.4)
        estimate = estimate_two_view(scene.matches, CAMERA, CAMERA, GeometryConfig()).pose
        errors.append(error_vector(estimate, T_SIDE)[3:])
        deviations.append(np.sqrt(np.diag(estimate.covariance)[3:]))
    ratio = np.std(errors, axis=0) / np.mean(deviations, axis=0)
    assert (ratio > 0.5).all() and (ratio < 2.0).all()


def test_scale_has_the_variance_it_is_said_to_have():
    scene = make(T_SIDE, noise_px=0.3)
    estimate = estimate_two_view(scene.matches, CAMERA, CAMERA, GeometryConfig()).pose
    t = estimate.T_0_from_1[:3, 3]
    assert np.linalg.norm(t) == pytest.approx(1.0)
    assert t @ estimate.covariance[:3, :3] @ t == pytest.approx(SCALE_VARIANCE, rel=1e-6)
    np.testing.assert_allclose(estimate.covariance, estimate.covariance.T)
    assert np.linalg.eigvalsh(estimate.covariance)[0] > 0


def test_translation_of_a_pure_rotation():
    scene = make(pose(rotation_xyz(3, 10, 2), (0, 0, 0)), noise_px=0.3)
    estimate = estimate_two_view(scene.matches, CAMERA, CAMERA, GeometryConfig()).pose
    assert estimate.reason is Reason.PURE_ROTATION
    np.testing.assert_array_equal(estimate.covariance[:3, :3], UNOBSERVABLE_VARIANCE * np.eye(3))
    assert not estimate.covariance[:3, 3:].any()
    assert np.sqrt(np.diag(estimate.covariance)[3:]).max() < math.radians(0.05)


def linear(jacobian, residuals, basis=None):
    J = np.asarray(jacobian, float).T[None]
    p = J.shape[1]
    return Linearisation(np.asarray(residuals, float)[None], J, np.eye(6)[:, :p] if basis is None else basis)


def test_by_hand():
    """Two parameters, J = [[1, 0], [0, 2]] twice over, residuals 1: sigma^2 = 4 / 2, C = sigma^2 (J^T J)^-1."""
    here = linear([[1, 0], [0, 2]] * 2, [1, 1, 1, 1])
    assert residual_variance(here) == pytest.approx(2.0)
    covariance = pose_covariance(here, np.array([0.0, 0.0, 1.0]), 100.0, metric=True)
    np.testing.assert_allclose(np.diag(covariance), [1.0, 0.25, 0, 0, 0, 0])


def test_noise_is_never_below_the_floor():
    assert residual_variance(linear([[1.0]] * 9, [0.0] * 9)) == pytest.approx(FLOOR_PX**2)


def test_undetermined_parameters_have_no_covariance():
    t = np.array([1.0, 0, 0])
    for jacobian in ([[1.0, 1.0]] * 5, [[1.0, 0.0]] * 5, np.zeros((0, 2))):
        covariance = pose_covariance(linear(jacobian, np.ones(len(jacobian))), t, 100.0, metric=True)
        assert np.isnan(covariance).all()
        assert direction_std_deg(covariance, t) == math.inf


def test_direction_deviation():
    t = np.array([0.0, 0.0, 1.0])
    covariance = np.diag([0.01**2, 0.02**2, 5.0, 0, 0, 0])
    assert direction_std_deg(covariance, t) == pytest.approx(math.degrees(0.02))


def test_without_translation():
    covariance = np.arange(36.0).reshape(6, 6)
    result = without_translation(covariance)
    np.testing.assert_array_equal(result[3:, 3:], covariance[3:, 3:])
    np.testing.assert_array_equal(result[:3, :3], UNOBSERVABLE_VARIANCE * np.eye(3))
    assert not result[:3, 3:].any() and not result[3:, :3].any()


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.parametrize("gate", [1.2, 2.0, 5.0])
def test_noise_behind_a_gate(components, gate):
    """A million draws of noise of 0.7 px, cut at so many deviations."""
    drawn = np.random.default_rng(0).normal(0, 0.7, (1_000_000, components))
    kept = drawn[np.linalg.norm(drawn, axis=1) < gate * 0.7]
    assert noise_variance(np.mean(kept**2), gate * 0.7, components) == pytest.approx(0.49, rel=0.03)


def test_residuals_that_fill_the_gate_say_little():
    for components, uniform in ((1, 1 / 3), (2, 1 / 4)):
        assert noise_variance(uniform, 1.0, components) == pytest.approx(1.0)
