# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How far an estimated pose is from the true one.

Convention: poses are (4, 4) float64, X0 = T_0_from_1 X1; translations may differ in length, not in sign.
"""

from __future__ import annotations

import math

import numpy as np

from lightmatch_ros.core.geometry.motion import rotation_angle
from lightmatch_ros.core.types import DoubleArray

MIN_BASELINE_M = 1e-3  # under a millimetre a direction says nothing; guess


def relative(T_world_from_0: DoubleArray, T_world_from_1: DoubleArray) -> DoubleArray:
    """Returns T_0_from_1, (4, 4), from the poses of two cameras in the world."""
    return np.asarray(np.linalg.inv(T_world_from_0) @ T_world_from_1)


def rotation_error_deg(estimated: DoubleArray, true: DoubleArray) -> float:
    """Returns the angle between two rotations, degrees, 0 to 180."""
    return math.degrees(rotation_angle(estimated[:3, :3].T @ true[:3, :3]))


def direction_error_deg(estimated: DoubleArray, true: DoubleArray) -> float:
    """Returns the angle between two translations, degrees, 0 to 180; NaN where one is too short for a direction."""
    a, b = estimated[:3, 3], true[:3, 3]
    if np.linalg.norm(b) < MIN_BASELINE_M or not np.linalg.norm(a) > 0:
        return math.nan
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))
