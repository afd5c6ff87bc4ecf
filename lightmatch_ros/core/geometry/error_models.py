# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a match costs in pixels: the Sampson error of two views, and the reprojection error of a point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.geometry.least_squares import Linearisation
from lightmatch_ros.core.geometry.motion import GENERATORS, Motion, skew
from lightmatch_ros.core.types import DoubleArray

_PLANE = np.array([1.0, 1.0, 0.0])  # drops the constant part of a line: only its normal has a gradient


@dataclass(frozen=True, eq=False)
class SampsonError:
    """First-order distance of a match to the epipolar geometry, pixels.

    r = x0^T G x1 / s, with G = [t]x R and s the length of the gradient of the numerator by the four
    pixel coordinates, each image in its own pixels. Scale of t plays no part: 5 degrees of freedom.

    Attributes:
        x0: (N, 3) float64, normalised homogeneous, keyframe.
        x1: (N, 3) float64, normalised homogeneous, current frame.
        focal0: pixels.
        focal1: pixels.

    Source: Hartley and Zisserman 2004, equation 11.9.
    """

    x0: DoubleArray
    x1: DoubleArray
    focal0: float
    focal1: float

    def residuals(self, motion: Motion) -> DoubleArray:
        """(N, 1) float64, pixels, signed."""
        e, s, _, _ = self._parts(skew(motion.t) @ motion.R)
        return np.asarray((e / s)[:, None], np.float64)

    def linearise(self, motion: Motion) -> Linearisation:
        """Derivatives by two directions that turn t and by the rotation vector."""
        tangent = tangent_plane(motion.t)
        cross = skew(motion.t)
        by_t = (tangent.T @ GENERATORS.reshape(3, 9)).reshape(2, 3, 3) @ motion.R
        by_turn = cross @ GENERATORS @ motion.R  # (3, 3, 3)
        dG = np.concatenate((by_t, by_turn)).reshape(5, 9).T
        e, s, line0, line1 = self._parts(cross @ motion.R)
        # d(e/s) = de/s - e/s^3 * d(s^2)/2; both are linear in dG, so one (N, 9) matrix serves.
        ratio = (e / s**2)[:, None]
        weighted0 = self.x0 - ratio * line0 * (_PLANE / self.focal0**2)
        by_G = weighted0[:, :, None] * self.x1[:, None, :]
        by_G -= self.x0[:, :, None] * (ratio * line1 * (_PLANE / self.focal1**2))[:, None, :]
        J = (by_G.reshape(-1, 9) @ dG) / s[:, None]
        basis = np.zeros((6, 5))
        basis[:3, :2], basis[3:, 2:] = tangent, np.eye(3)
        return Linearisation((e / s)[:, None], J[:, None, :], basis)

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Keeps the length of t."""
        moved = motion.moved(step)
        return Motion(moved.R, moved.t * (np.linalg.norm(motion.t) / np.linalg.norm(moved.t)))

    def _parts(self, G: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray, DoubleArray]:
        line0, line1 = self.x1 @ G.T, self.x0 @ G
        e = np.einsum("ij,ij->i", self.x0, line0)
        squared = (line0[:, 0] ** 2 + line0[:, 1] ** 2) / self.focal0**2
        squared += (line1[:, 0] ** 2 + line1[:, 1] ** 2) / self.focal1**2
        # A match on both epipoles has no gradient, and fits any motion: its residual is 0 / tiny.
        return e, np.sqrt(squared + 1e-300), line0, line1


@dataclass(frozen=True, eq=False)
class ReprojectionError:
    """Distance between a match in the current frame and the projection of its 3D point, pixels.

    Attributes:
        points: (N, 3) float64, keyframe's frame; metres, or rays where only the rotation is free.
        x1: (N, 3) float64, normalised homogeneous, current frame.
        focal1: pixels.
        rotation_only: t stays as it is; 3 degrees of freedom instead of 6.
    """

    points: DoubleArray
    x1: DoubleArray
    focal1: float
    rotation_only: bool = False

    def linearise(self, motion: Motion) -> Linearisation:
        """Derivatives by x y z rx ry rz, or rx ry rz alone; a point behind the camera is far off."""
        X1 = (self.points - motion.t) @ motion.R
        z = np.maximum(X1[:, 2], 1e-9)
        x, y = X1[:, 0] / z, X1[:, 1] / z
        residuals = self.focal1 * (np.column_stack((x, y)) - self.x1[:, :2])
        zero, one = np.zeros(len(z)), np.ones(len(z))
        # X1 = R^T (X0 - t): a step of t moves X1 by -R^T dt, a turn r of the axes of frame 0 by -(R^T r) x X1.
        by_turn = np.array([[x * y, -(1.0 + x * x), y], [1.0 + y * y, -x * y, -x]])  # (2, 3, N)
        J = self.focal1 * by_turn.transpose(2, 0, 1) @ motion.R.T
        if self.rotation_only:
            return Linearisation(residuals, J, np.eye(6)[:, 3:])
        by_shift = np.array([[-one, zero, x], [zero, -one, y]]) / z
        J_shift = self.focal1 * by_shift.transpose(2, 0, 1) @ motion.R.T
        return Linearisation(residuals, np.concatenate((J_shift, J), axis=2), np.eye(6))

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Applies the step as it is."""
        return motion.moved(step)


def tangent_plane(t: DoubleArray) -> DoubleArray:
    """Two orthonormal directions perpendicular to a unit vector t, (3, 2).

    Source: Duff et al. 2017, building an orthonormal basis, revisited.
    """
    x, y, z = t.tolist()
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    return np.array([[1.0 + sign * x * x * a, b], [sign * b, sign + y * y * a], [-sign * x, -y]])
