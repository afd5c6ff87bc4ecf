# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from lightmatch_ros.core.rotation import matrix_from_quaternion, quaternion_from_matrix

VECTORS = [
    (0, 0, 0),
    (0.3, -0.2, 0.9),
    (np.pi, 0, 0),
    (0, np.pi, 0),
    (0, 0, -np.pi),
    (2.2, 2.2, 0),
    (1e-9, 0, 0),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_agrees_with_the_axis_and_angle(vector):
    vector = np.array(vector, float)
    angle = np.linalg.norm(vector)
    axis = vector / angle if angle else vector
    expected = np.append(axis * np.sin(angle / 2), np.cos(angle / 2))
    found = quaternion_from_matrix(cv2.Rodrigues(vector)[0])
    assert found[3] >= 0
    assert min(np.abs(found - expected).max(), np.abs(found + expected).max()) < 1e-7


@pytest.mark.parametrize("vector", VECTORS)
def test_back_to_the_matrix(vector):
    R = cv2.Rodrigues(np.array(vector, float))[0]
    np.testing.assert_allclose(matrix_from_quaternion(3 * quaternion_from_matrix(R)), R, atol=1e-7)
