# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A smooth, periodic path of the camera through the room, known exactly with its velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.types import DoubleArray

PERIOD_S = 60.0

# (harmonic of the period, amplitude) of each coordinate. The sums of the amplitudes keep the camera in the free
# middle of the room, those of amplitude * harmonic * 2 pi / 60 s keep it below 0.6 m/s and 30 degrees/s, whatever
# the phases.
_X_M = ((2, 0.9), (5, 0.35))
_Y_M = ((3, 0.45), (5, 0.2))
_Z_M = ((5, 0.2), (7, 0.08))
_YAW_RAD = ((3, 0.35), (5, 0.15))  # on top of one turn a period
_PITCH_RAD = ((4, 0.18), (7, 0.06))
_ROLL_RAD = ((5, 0.06), (8, 0.03))
_MIDDLE_M = (0.0, 0.0, 1.45)
_PITCH_MIDDLE_RAD = -0.12  # a little downwards


@dataclass(frozen=True, eq=False)
class Motion:
    """Where the camera is at one time, and how it moves.

    Convention: T maps the REP 103 optical frame (x right, y down, z forward) to the world (z up), metres.
    The velocities are those of the optical frame against the world, written in the optical frame.

    Attributes:
        T_world_from_camera: (4, 4) float64.
        linear_m_s: (3,) float64, m/s.
        angular_rad_s: (3,) float64, rad/s.
    """

    T_world_from_camera: DoubleArray
    linear_m_s: DoubleArray
    angular_rad_s: DoubleArray


class Trajectory:
    """The camera drifts about the middle of the room and looks all around once a period.

    Position and the angles yaw, pitch and roll are sums of sines, so that every derivative exists and the end
    of a period joins its beginning.
    """

    def __init__(self, seed: int = 0) -> None:
        """Chooses the phases of the sines; ``seed`` 0 is as good as any other."""
        if seed < 0:
            raise ConfigurationError(f"seed: got {seed}, wanted >= 0")
        rng = np.random.default_rng(seed)
        self._position = [_Series(terms, rng) for terms in (_X_M, _Y_M, _Z_M)]
        self._angles = [_Series(terms, rng) for terms in (_YAW_RAD, _PITCH_RAD, _ROLL_RAD)]
        self._start_rad = rng.uniform(0, 2 * math.pi)

    def at(self, t_s: float) -> Motion:
        """Returns the motion at a time in seconds; any time, PERIOD_S apart is the same.

        Raises:
            ConfigurationError: the time is not finite.
        """
        if not math.isfinite(t_s):
            raise ConfigurationError(f"time: got {t_s}, wanted a finite number of seconds")
        phase = 2 * math.pi * math.fmod(t_s, PERIOD_S) / PERIOD_S
        position, velocity = np.array([series.at(phase) for series in self._position]).T
        (yaw, yaw_rate), (pitch, pitch_rate), (roll, roll_rate) = (series.at(phase) for series in self._angles)
        yaw, yaw_rate = yaw + self._start_rad + phase, yaw_rate + 2 * math.pi / PERIOD_S
        rotation = _rotation(yaw, pitch + _PITCH_MIDDLE_RAD, roll)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, position + _MIDDLE_M
        angular = _angular_velocity(pitch + _PITCH_MIDDLE_RAD, roll, (yaw_rate, pitch_rate, roll_rate))
        return Motion(pose, rotation.T @ velocity, angular)


class _Series:
    """A sum of sines with phases of its own."""

    def __init__(self, terms: tuple[tuple[int, float], ...], rng: np.random.Generator) -> None:
        self._terms = [(k, amplitude, rng.uniform(0, 2 * math.pi)) for k, amplitude in terms]

    def at(self, phase: float) -> tuple[float, float]:
        """The value and its derivative by time, 1/s, at a phase of the period."""
        value = sum(a * math.sin(k * phase + shift) for k, a, shift in self._terms)
        slope = sum(a * k * math.cos(k * phase + shift) for k, a, shift in self._terms)
        return value, slope * 2 * math.pi / PERIOD_S


def _rotation(yaw: float, pitch: float, roll: float) -> DoubleArray:
    """R_world_from_camera: yaw about the world's z, pitch upwards, roll about the line of sight."""
    forward = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    down = np.cross(forward, right)
    level = np.stack([right, down, forward], 1)
    c, s = math.cos(roll), math.sin(roll)
    return np.asarray(level @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))


def _angular_velocity(pitch: float, roll: float, rates: tuple[float, float, float]) -> DoubleArray:
    """The rates of yaw, pitch and roll as one vector in the optical frame, rad/s."""
    yaw_rate, pitch_rate, roll_rate = rates
    # In the frame before the roll, the world's up is (0, -cos, sin) of the pitch; pitching up turns about x.
    level = np.array([pitch_rate, -yaw_rate * math.cos(pitch), yaw_rate * math.sin(pitch)])
    c, s = math.cos(roll), math.sin(roll)
    return np.asarray(np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ level + (0, 0, roll_rate))
