# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Rotation matrices and quaternions.

Convention: quaternions are (x, y, z, w), as in geometry_msgs, of unit length with w >= 0.
"""

from __future__ import annotations

import numpy as np

from lightmatch_ros.core.types import DoubleArray


def quaternion_from_matrix(R: DoubleArray) -> DoubleArray:
    """Returns the quaternion (4,) of a rotation matrix (3, 3).

    Source: Bar-Itzhack, "New Method for Extracting the Quaternion from a Rotation Matrix", 2000: the eigenvector of
    the largest eigenvalue of a symmetric 4 x 4 matrix; right for every angle, and the nearest one where R has noise.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = R
    K = np.array(
        [
            [xx - yy - zz, 0, 0, 0],
            [xy + yx, yy - xx - zz, 0, 0],
            [xz + zx, yz + zy, zz - xx - yy, 0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    _, vectors = np.linalg.eigh(K)  # reads the lower triangle
    q = vectors[:, -1]
    return q if q[3] >= 0 else -q


def matrix_from_quaternion(q: DoubleArray) -> DoubleArray:
    """Returns the rotation matrix (3, 3) of a quaternion (4,) of any length but 0."""
    x, y, z, w = np.asarray(q, np.float64) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
