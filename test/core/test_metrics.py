# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import math

import cv2
import numpy as np
import pytest

from lightmatch_ros.core.metrics import direction_error_deg, relative, rotation_error_deg


def pose(rotation_deg: float, translation: tuple[float, float, float]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.radians([0.0, rotation_deg, 0.0]))[0]
    T[:3, 3] = translation
    return T


def test_relative_pose_maps_points_of_camera_1_to_camera_0():
    T0, T1 = pose(20, (1, 2, 3)), pose(-30, (0, 1, 5))
    X_world = np.array([0.5, -0.5, 9, 1])
    X0, X1 = np.linalg.inv(T0) @ X_world, np.linalg.inv(T1) @ X_world
    np.testing.assert_allclose(relative(T0, T1) @ X1, X0, atol=1e-12)


def test_errors_are_the_angles_between():
    assert rotation_error_deg(pose(10, (1, 0, 0)), pose(13.5, (0, 0, 1))) == pytest.approx(3.5)
    assert direction_error_deg(pose(0, (2, 0, 0)), pose(0, (1, 1, 0))) == pytest.approx(45)
    assert direction_error_deg(pose(0, (1, 0, 0)), pose(0, (-7, 0, 0))) == pytest.approx(180)


def test_no_direction_without_translation():
    assert math.isnan(direction_error_deg(pose(0, (1, 0, 0)), pose(0, (0, 0, 0.0005))))
    assert math.isnan(direction_error_deg(pose(0, (0, 0, 0)), pose(0, (0, 0, 1))))
    assert math.isnan(direction_error_deg(pose(0, (math.nan, 0, 0)), pose(0, (0, 0, 1))))
