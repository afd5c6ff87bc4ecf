# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Motions of a known plane."""

import numpy as np
import pytest
from two_view_scenes import K, direction_error_deg, make, pose, rotation_error_deg, rotation_xyz

from lightmatch_ros.core.geometry.motion import homogeneous
from lightmatch_ros.core.geometry.planar import best_motion, motions_of_plane
from lightmatch_ros.core.geometry.relative_pose import Rays

PLANE = np.array([0.1, 0.2, 1.0, 6.0])  # a x + b y + c z = d


def rays_of(scene):
    inverse = np.linalg.inv(K).T
    x0 = homogeneous(scene.matches.points0.astype(float)) @ inverse
    x1 = homogeneous(scene.matches.points1.astype(float)) @ inverse
    return Rays(x0, x1, K[0, 0], K[1, 1])


def homography(T_0_from_1, plane):
    """x1 ~ H x0 for points with n . X0 = d: X1 = R^T (X0 - t) = R^T (I - t n^T / d) X0."""
    R, t = T_0_from_1[:3, :3], T_0_from_1[:3, 3]
    return R.T @ (np.eye(3) - np.outer(t, plane[:3]) / plane[3])


@pytest.mark.parametrize("scale", [1.0, -3.0])
def test_true_motion_is_among_those_of_the_plane(scale):
    T = pose(rotation_xyz(3, -8, 5), (0.5, 0.1, 0.2))
    scene = make(T, plane=tuple(PLANE))
    motions = motions_of_plane(scale * homography(T, PLANE), rays_of(scene))
    assert 1 <= len(motions) <= 2
    assert min(rotation_error_deg(m.R, T[:3, :3]) for m in motions) < 1e-5
    assert min(direction_error_deg(m.t, scene.direction) for m in motions) < 1e-5


def test_rotation_alone_has_no_motion_of_a_plane():
    T = pose(rotation_xyz(3, -8, 5), (0, 0, 0))
    assert motions_of_plane(homography(T, PLANE), rays_of(make(T, plane=tuple(PLANE)))) == []


def test_points_off_the_plane_decide():
    """A ground seen at a grazing angle leaves two motions; 20 % of points elsewhere leave one."""
    T = pose(rotation_xyz(0.1, 0.5, 0), (0.02, 0.01, 1.0))
    ground = (0.0, 1.0, 0.01, 1.5)
    flat = make(T, plane=ground, noise_px=0.3)
    motions = motions_of_plane(homography(T, np.array(ground)), rays_of(flat))
    assert len(motions) == 2
    best, rival = best_motion(motions, None, rays_of(flat), 1.0, 1.0)
    assert best is not None and rival is not None
    mixed = make(T, plane=ground, off_plane=0.2, depth=(4, 30), noise_px=0.3)
    best, rival = best_motion(motions, None, rays_of(mixed), 1.0, 1.0)
    assert rival is None
    assert rotation_error_deg(best.motion.R, T[:3, :3]) < 0.2
    assert direction_error_deg(best.motion.t, mixed.direction) < 2.0


def test_nothing_to_choose_from():
    assert best_motion([], None, rays_of(make(pose(np.eye(3), (1, 0, 0)))), 1.0, 1.0) == (None, None)
