# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Rigid motion between two camera frames, and what it does to points and rays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lightmatch_ros.core.types import BoolArray, DoubleArray


@dataclass(frozen=True, eq=False)
class Motion:
    """Pose of the current camera (1) in the keyframe's frame (0): X0 = R X1 + t.

    Convention: T_0_from_1, optical frames of REP 103 (x right, y down, z forward). t has unit length
    where the scale is not known, metres where it is.

    Attributes:
        R: (3, 3) float64, rotation.
        t: (3,) float64.
    """

    R: DoubleArray
    t: DoubleArray

    @property
    def matrix(self) -> DoubleArray:
        """T_0_from_1, (4, 4) float64."""
        T: DoubleArray = np.eye(4)
        T[:3, :3], T[:3, 3] = self.R, self.t
        return T

    @property
    def inverse(self) -> Motion:
        """T_1_from_0."""
        return Motion(self.R.T, -self.R.T @ self.t)

    @property
    def essential(self) -> DoubleArray:
        """E, (3, 3) with x1^T E x0 = 0 in normalised coordinates; unit Frobenius norm.

        With T_0_from_1 = (R, t), E = ([t]x R)^T.
        """
        E = (skew(self.t) @ self.R).T
        scaled: DoubleArray = E / max(float(np.linalg.norm(E)), 1e-300)
        return scaled

    def moved(self, step: DoubleArray) -> Motion:
        """Applies a small step.

        Args:
            step: (6,), x y z rx ry rz: translation added, then rotation vector about the fixed axes
                of frame 0 (R <- exp(r) R), which is how the covariance is meant too.
        """
        return Motion(rotation(step[3:]) @ self.R, self.t + step[:3])


def skew(v: DoubleArray) -> DoubleArray:
    """The cross product with v as a (3, 3) matrix."""
    x, y, z = v.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


GENERATORS = np.stack([skew(axis) for axis in np.eye(3)])  # (3, 3, 3): of turns about x, y, z


def rotation(vector: DoubleArray) -> DoubleArray:
    """The rotation matrix (3, 3) of a rotation vector (3,), radians. Source: Rodrigues."""
    angle = math.sqrt(float(vector @ vector))
    K = skew(vector)
    R: DoubleArray = np.eye(3) + K
    if angle > 1e-8:
        R = np.eye(3) + math.sin(angle) / angle * K + (1.0 - math.cos(angle)) / angle**2 * (K @ K)
    return R


def nearest_rotation(matrix: DoubleArray) -> DoubleArray:
    """The rotation nearest to a (3, 3) matrix in the Frobenius norm. Source: Kabsch 1976."""
    U, _, Vt = np.linalg.svd(matrix)
    sign = np.linalg.det(U @ Vt)
    R: DoubleArray = (U * [1.0, 1.0, 1.0 if sign > 0 else -1.0]) @ Vt
    return R


def rotation_vector(R: DoubleArray) -> DoubleArray:
    """The rotation vector (3,) of a rotation matrix, radians: the inverse of `rotation`."""
    return np.asarray(cv2.Rodrigues(R)[0], np.float64).ravel()


def rotation_angle(R: DoubleArray) -> float:
    """The angle of a rotation, radians, 0 to pi; exact near both ends."""
    sine = 0.5 * math.hypot(R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1])
    return math.atan2(sine, 0.5 * (float(np.trace(R)) - 1.0))


def homogeneous(points: DoubleArray) -> DoubleArray:
    """(N, 2) to (N, 3) with a last column of ones."""
    result: DoubleArray = np.ones((len(points), 3))
    result[:, :2] = points
    return result


@dataclass(frozen=True, eq=False)
class Sight:
    """How the two rays of each match lie to each other, under a motion.

    Attributes:
        parallax: (N,) float64, angle between the rays once the rotation is taken out, radians, exact to
            1e-7; the translation plays no part.
        ahead: (N,) bool, the triangulated point has positive depth in both cameras.
        astern: (N,) bool, it would have with the opposite translation.
    """

    parallax: DoubleArray
    ahead: BoolArray
    astern: BoolArray


def sight(motion: Motion, x0: DoubleArray, x1: DoubleArray) -> Sight:
    """Looks along both rays of each match.

    Depths d0, d1 minimise |d0 a - d1 b - t| with a = x0, b = R x1; only their signs are needed, so
    the common denominator |a x b|^2 is left out.

    Args:
        motion: T_0_from_1.
        x0: (N, 3), homogeneous normalised coordinates.
        x1: (N, 3), the same.
    """
    a, b = x0.T, motion.R @ x1.T
    aa, ab, bb = (np.einsum("in,in->n", u, v) for u, v in ((a, a), (a, b), (b, b)))
    at, bt = motion.t @ a, motion.t @ b
    depth0, depth1 = bb * at - ab * bt, ab * at - aa * bt
    angle = np.arctan2(np.sqrt(np.maximum(aa * bb - ab**2, 0.0)), ab)
    return Sight(angle, (depth0 > 0) & (depth1 > 0), (depth0 < 0) & (depth1 < 0))
