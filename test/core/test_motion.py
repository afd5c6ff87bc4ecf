# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Rigid motions: directions, rotations, parallax, and which points are in front."""

import math

import numpy as np
import pytest
from two_view_scenes import K, make, pose, rotation_xyz

from lightmatch_ros.core.geometry.motion import (
    Motion,
    homogeneous,
    nearest_rotation,
    rotation,
    rotation_angle,
    rotation_vector,
    sight,
    skew,
)

R = rotation_xyz(10, -20, 30)
T = np.array([0.3, -0.2, 0.9])


def rays(scene):
    """Normalised homogeneous matches of a scene without noise."""
    inverse = np.linalg.inv(K).T
    return homogeneous(scene.matches.points0) @ inverse, homogeneous(scene.matches.points1) @ inverse


def test_matrix_and_inverse():
    motion = Motion(R, T)
    np.testing.assert_allclose(motion.matrix, pose(R, tuple(T)))
    np.testing.assert_allclose(motion.inverse.matrix, np.linalg.inv(pose(R, tuple(T))), atol=1e-15)


def test_essential_matrix_is_zero_on_matches():
    scene = make(pose(R, (0.3, -0.2, 0.1)), depth=(2, 5), count=50)
    x0, x1 = rays(scene)
    E = Motion(R, np.array([0.3, -0.2, 0.1])).essential
    assert np.linalg.norm(E) == pytest.approx(1.0)
    assert np.abs(np.einsum("ni,ij,nj->n", x1, E, x0)).max() < 1e-6  # of float32 pixels


def test_skew_is_the_cross_product():
    np.testing.assert_allclose(skew(T) @ R[0], np.cross(T, R[0]))


@pytest.mark.parametrize("angle_deg", [0.0, 1e-7, 0.5, 90.0, 179.999])
def test_rotation_vector_round_trip(angle_deg):
    axis = np.array([1.0, 2.0, -2.0]) / 3.0
    vector = math.radians(angle_deg) * axis
    np.testing.assert_allclose(rotation_vector(rotation(vector)), vector, atol=2e-9)
    assert rotation_angle(rotation(vector)) == pytest.approx(np.linalg.norm(vector), abs=2e-9)


def test_rotation_about_an_axis():
    np.testing.assert_allclose(rotation(np.array([0, 0, math.radians(30)])), rotation_xyz(rz_deg=30), atol=1e-15)
    np.testing.assert_allclose(rotation(np.array([0, math.radians(-70), 0])), rotation_xyz(ry_deg=-70), atol=1e-15)
    assert rotation_angle(rotation_xyz(0, 0, 180)) == pytest.approx(math.pi)


def test_step_turns_about_the_fixed_axes_of_frame_0():
    moved = Motion(R, T).moved(np.array([1.0, 2.0, 3.0, 0, 0, math.radians(90)]))
    np.testing.assert_allclose(moved.t, T + np.arange(1, 4))
    np.testing.assert_allclose(moved.R, rotation_xyz(rz_deg=90) @ R, atol=1e-15)


def test_nearest_rotation_undoes_scale_and_stretch():
    np.testing.assert_allclose(nearest_rotation(2.5 * R), R, atol=1e-14)
    stretch = R @ np.diag([0.9, 1.0, 1.1])  # a symmetric factor on the right leaves the rotation
    np.testing.assert_allclose(nearest_rotation(stretch), R, atol=1e-14)
    assert np.linalg.det(nearest_rotation(np.diag([1.0, 1.0, -1.0]))) == pytest.approx(1.0)


def test_parallax_is_the_angle_at_the_point():
    points = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 100.0], [0.5, 0.0, 2.0]])
    motion = Motion(np.eye(3), np.array([1.0, 0.0, 0.0]))
    x0, x1 = points / points[:, 2:], (points - motion.t) / points[:, 2:]
    np.testing.assert_allclose(sight(motion, x0, x1).parallax, [math.atan(1.0), math.atan(0.01), 2 * math.atan(0.25)])


def test_points_in_front():
    scene = make(pose(R, tuple(0.3 * T)), depth=(2, 5), count=40)
    x0, x1 = rays(scene)
    seen = sight(Motion(R, T), x0, x1)
    assert seen.ahead.all() and not seen.astern.any()
    seen = sight(Motion(R, -T), x0, x1)
    assert not seen.ahead.any() and seen.astern.all()
    # The other rotation of the same essential matrix: turned by 180 degrees about the baseline.
    twisted = rotation(math.pi * T / np.linalg.norm(T)) @ R
    seen = sight(Motion(twisted, T), x0, x1)
    assert not seen.ahead.any() and not seen.astern.any()
