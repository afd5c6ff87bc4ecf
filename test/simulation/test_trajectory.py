# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The trajectory: smooth, periodic, slow, clear of everything, with the velocities that its poses have."""

import math

import numpy as np
import pytest

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.simulation.scene import FREE_HALF_X_M, FREE_HALF_Y_M, FREE_HIGH_M, FREE_LOW_M
from lightmatch_ros.simulation.trajectory import PERIOD_S, Trajectory

TIMES = np.linspace(0, PERIOD_S, 241)
CLEARANCE_M = 0.3

each_seed = pytest.mark.parametrize("trajectory", [Trajectory(seed) for seed in range(6)])


@each_seed
def test_poses_are_rigid_and_upright(trajectory):
    for t in TIMES:
        pose = trajectory.at(t).T_world_from_camera
        rotation = pose[:3, :3]
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert pose[3].tolist() == [0, 0, 0, 1]
        assert rotation[2, 1] < -0.85  # the optical y axis points down in the world


@each_seed
def test_velocities_are_the_derivatives_of_the_poses(trajectory):
    step = 1e-4
    for t in TIMES[::5]:
        motion = trajectory.at(t)
        before, after = (trajectory.at(t + d).T_world_from_camera for d in (-step, step))
        rotation = motion.T_world_from_camera[:3, :3]
        rate = rotation.T @ (after - before)[:3] / (2 * step)  # (3, 4): [skew of angular | linear]
        assert motion.linear_m_s == pytest.approx(rate[:, 3], abs=1e-6)
        assert motion.angular_rad_s == pytest.approx([rate[2, 1], rate[0, 2], rate[1, 0]], abs=1e-6)


@each_seed
def test_speed_is_modest(trajectory):
    motions = [trajectory.at(t) for t in TIMES]
    speeds = [np.linalg.norm(m.linear_m_s) for m in motions]
    turns_deg = [math.degrees(np.linalg.norm(m.angular_rad_s)) for m in motions]
    assert max(speeds) < 0.6
    assert max(turns_deg) < 30
    assert np.mean(speeds) > 0.1  # there is parallax


@each_seed
def test_keeps_clear_of_the_furniture(trajectory):
    x, y, z = np.array([trajectory.at(t).T_world_from_camera[:3, 3] for t in TIMES]).T
    assert (abs(x) < FREE_HALF_X_M - CLEARANCE_M).all()
    assert (abs(y) < FREE_HALF_Y_M - CLEARANCE_M).all()
    assert (z > FREE_LOW_M + CLEARANCE_M).all()
    assert (z < FREE_HIGH_M - CLEARANCE_M).all()


@each_seed
def test_is_periodic(trajectory):
    for t in (0.0, 7.3, -2.0):
        here, later = trajectory.at(t), trajectory.at(t + PERIOD_S)
        assert here.T_world_from_camera == pytest.approx(later.T_world_from_camera, abs=1e-9)
        assert here.linear_m_s == pytest.approx(later.linear_m_s, abs=1e-9)
        assert here.angular_rad_s == pytest.approx(later.angular_rad_s, abs=1e-9)


@each_seed
def test_looks_all_around(trajectory):
    forward = np.array([trajectory.at(t).T_world_from_camera[:2, 2] for t in TIMES])
    headings_deg = np.sort(np.degrees(np.arctan2(forward[:, 1], forward[:, 0])))
    assert np.diff(headings_deg).max() < 10


def test_the_seed_decides():
    first, again, other = (Trajectory(seed).at(1.0).T_world_from_camera for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_refuses_a_bad_seed_or_time():
    with pytest.raises(ConfigurationError, match="seed: got -1"):
        Trajectory(-1)
    with pytest.raises(ConfigurationError, match="time: got nan"):
        Trajectory().at(math.nan)
