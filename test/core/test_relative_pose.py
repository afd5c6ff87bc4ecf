# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Essential matrix and rotation from matches of known motion."""

import numpy as np
import pytest
from two_view_scenes import K, direction_error_deg, make, pose, rotation_error_deg, rotation_xyz

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.motion import Motion, homogeneous, rotation
from lightmatch_ros.core.geometry.relative_pose import (
    Rays,
    clearly_behind,
    estimate_essential,
    fit_motion,
    fit_rotation,
    front_shares,
    motion_in_front,
    motions_of_essential,
)

CONFIG = GeometryConfig()
R = rotation_xyz(3, -8, 5)
T_0_from_1 = pose(R, (0.5, 0.1, 0.2))


def rays_of(scene):
    order = np.argsort(-scene.matches.scores)
    inverse = np.linalg.inv(K).T
    x0 = homogeneous(scene.matches.points0.astype(float)) @ inverse
    x1 = homogeneous(scene.matches.points1.astype(float)) @ inverse
    return Rays(x0, x1, K[0, 0], K[1, 1]).select(order)


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.6])
def test_motion_from_noisy_matches(outliers):
    scene = make(T_0_from_1, noise_px=0.5, outliers=outliers)
    rays = rays_of(scene)
    start = motion_in_front(estimate_essential(rays, CONFIG), rays, CONFIG.e_threshold_px)
    fit = fit_motion(start, rays, CONFIG.e_threshold_px)
    assert rotation_error_deg(fit.motion.R, R) < 0.3
    assert direction_error_deg(fit.motion.t, scene.direction) < 1.5
    assert np.linalg.norm(fit.motion.t) == pytest.approx(1.0)
    assert fit.inliers.sum() > 0.9 * scene.inlier.sum()


def test_refinement_improves_on_the_robust_estimate():
    """Over 20 scenes: no single one need improve, the mean error does."""
    before, after = [], []
    for seed in range(20):
        rays = rays_of(make(T_0_from_1, noise_px=0.5, outliers=0.3, seed=seed))
        start = motion_in_front(estimate_essential(rays, CONFIG), rays, CONFIG.e_threshold_px)
        before.append(rotation_error_deg(start.R, R))
        after.append(rotation_error_deg(fit_motion(start, rays, CONFIG.e_threshold_px).motion.R, R))
    assert np.mean(after) < np.mean(before)


def test_exact_matches_give_the_exact_motion():
    scene = make(T_0_from_1)
    rays = rays_of(scene)
    start = motion_in_front(estimate_essential(rays, CONFIG), rays, CONFIG.e_threshold_px)
    fit = fit_motion(start, rays, CONFIG.e_threshold_px)
    assert rotation_error_deg(fit.motion.R, R) < 1e-4  # float32 pixels
    assert direction_error_deg(fit.motion.t, scene.direction) < 1e-3


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_matches(count):
    assert estimate_essential(rays_of(make(T_0_from_1, count=count)), CONFIG) is None


def test_motions_of_an_essential_matrix():
    truth = Motion(R, T_0_from_1[:3, 3] / np.linalg.norm(T_0_from_1[:3, 3]))
    motions = motions_of_essential(truth.essential)
    twisted = rotation(np.pi * truth.t) @ R
    for expected in (R, twisted):
        assert min(rotation_error_deg(motion.R, expected) for motion in motions) < 1e-5
    for motion in motions:
        assert abs(motion.t @ truth.t) == pytest.approx(1.0)


def test_shares_in_front():
    scene = make(T_0_from_1)
    rays = rays_of(scene)
    truth = Motion(R, scene.direction)
    assert front_shares(truth, rays, 1.0) == pytest.approx((1.0, 0.0))
    assert front_shares(Motion(R, -scene.direction), rays, 1.0) == pytest.approx((0.0, 1.0))
    assert not clearly_behind(truth, rays, 1.0).any()
    assert clearly_behind(Motion(R, -scene.direction), rays, 1.0).mean() > 0.9


def test_no_essential_matrix_fits():
    """Matches that agree with none of its motions leave nothing to choose by."""
    rays = rays_of(make(T_0_from_1, count=20))
    E = Motion(rotation_xyz(0, 0, 120), np.array([0.0, 1.0, 0.0])).essential
    assert motion_in_front(E, rays, 1e-9) is None


@pytest.mark.parametrize("outliers", [0.0, 0.3, 0.6])
def test_rotation(outliers):
    R_0_from_1 = rotation_xyz(3, 10, 20)
    scene = make(pose(R_0_from_1, (0, 0, 0)), noise_px=0.5, outliers=outliers)
    fit = fit_rotation(-2.0 * R_0_from_1.T, rays_of(scene), 2.0, 0)  # a homography has neither sign nor scale
    assert rotation_error_deg(fit.motion.R, R_0_from_1) < 0.06
    assert not fit.motion.t.any()
    assert fit.inliers.sum() > 0.95 * scene.inlier.sum()
    assert 0.85 < fit.rms_px < 1.1  # 0.5 px in each of four coordinates is 1 px, and 2 px cut its tail


def test_rotation_from_a_start_far_off():
    rays = rays_of(make(pose(rotation_xyz(0, 20, 0), (0, 0, 0))))
    fit = fit_rotation(np.eye(3), rays, 2.0, 0)
    assert np.count_nonzero(fit.inliers) < 2


def test_rotation_is_not_refined_where_too_few_agree():
    rays = rays_of(make(pose(rotation_xyz(0, 20, 0), (0, 0, 0)), noise_px=0.5, outliers=0.5))
    start = rotation_xyz(0, 20.1, 0)
    left = fit_rotation(start.T, rays, 2.0, needed=len(rays))
    np.testing.assert_allclose(left.motion.R, start, atol=1e-12)
    refined = fit_rotation(start.T, rays, 2.0, needed=len(rays) // 3)
    assert rotation_error_deg(refined.motion.R, rotation_xyz(0, 20, 0)) < 0.06
