# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a match costs in pixels: the Sampson error of two views, and the reprojection error of a point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lightmatch_ros.core.geometry.least_squares import Linearisation
from lightmatch_ros.core.geometry.motion import GENERATORS, Motion, skew
from lightmatch_ros.core.types import DoubleArray


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
        """(N,) float64, pixels, signed."""
        e, squared, _, _ = self._parts(skew(motion.t) @ motion.R)
        return np.asarray(e / np.sqrt(squared), np.float64)

    def linearise(self, motion: Motion) -> Linearisation:
        """Derivatives by two directions that turn t and by the rotation vector."""
        tangent = tangent_plane(motion.t)
        cross = skew(motion.t)
        by_t = (tangent.T @ GENERATORS.reshape(3, 9)).reshape(2, 3, 3) @ motion.R
        by_turn = cross @ GENERATORS @ motion.R  # (3, 3, 3)
        dG = np.concatenate((by_t, by_turn))  # (5, 3, 3)
        e, squared, line0, line1 = self._parts(cross @ motion.R)
        # d(e/s) = (de - e/s^2 * d(s^2)/2) / s, with e = x0^T line0, and d(s^2)/2 a sum over the normals of both lines.
        inverse, ratio = 1.0 / np.sqrt(squared), e / squared
        x0, x1 = self._columns
        normal0, normal1 = line0[:2] * (ratio / self.focal0**2), line1 * (ratio / self.focal1**2)
        weighted0 = x0.copy()
        weighted0[:2] -= normal0
        dline0 = (dG.reshape(15, 3) @ x1).reshape(5, 3, -1)
        dline1 = (dG.transpose(0, 2, 1)[:, :2].reshape(10, 3) @ x0).reshape(5, 2, -1)
        J = np.einsum("pin,in->pn", dline0, weighted0 * inverse)
        J -= np.einsum("pin,in->pn", dline1, normal1 * inverse)
        basis = np.zeros((6, 5))
        basis[:3, :2], basis[3:, 2:] = tangent, np.eye(3)
        return Linearisation((e * inverse)[None], J[None], basis)

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Keeps the length of t."""
        moved = motion.moved(step)
        return Motion(moved.R, moved.t * (np.linalg.norm(motion.t) / np.linalg.norm(moved.t)))

    @cached_property
    def _columns(self) -> tuple[DoubleArray, DoubleArray]:
        """x0 and x1, (3, N)."""
        return np.ascontiguousarray(self.x0.T), np.ascontiguousarray(self.x1.T)

    def _parts(self, G: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray, DoubleArray]:
        """Numerators e (N,), s^2 (N,), the lines in image 0 (3, N), the normals of those in image 1 (2, N)."""
        x0, x1 = self._columns
        line0, line1 = G @ x1, G.T[:2] @ x0
        e = np.einsum("in,in->n", x0, line0)
        squared = np.einsum("in,in->n", line0[:2], line0[:2]) / self.focal0**2
        squared += np.einsum("in,in->n", line1, line1) / self.focal1**2
        # A match on both epipoles has no gradient, and fits any motion: its residual is 0 / tiny.
        return e, squared + 1e-300, line0, line1


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
        X1 = motion.R.T @ (self._points - motion.t[:, None])
        z = np.maximum(X1[2], 1e-9)
        x, y = image = X1[:2] / z
        residuals = self.focal1 * (image - self._seen)
        # X1 = R^T (X0 - t): a step of t moves X1 by -R^T dt, a turn r of the axes of frame 0 by -(R^T r) x X1.
        by_turn = np.array([[x * y, -(1.0 + x * x), y], [1.0 + y * y, -x * y, -x]])  # (2, 3, N)
        J = self.focal1 * motion.R @ by_turn
        if self.rotation_only:
            return Linearisation(residuals, J, np.eye(6)[:, 3:])
        zero, one = np.zeros(len(z)), np.ones(len(z))
        by_shift = np.array([[-one, zero, x], [zero, -one, y]]) / z
        return Linearisation(residuals, np.concatenate((self.focal1 * motion.R @ by_shift, J), axis=1), np.eye(6))

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Applies the step as it is."""
        return motion.moved(step)

    @cached_property
    def _points(self) -> DoubleArray:
        """The points, (3, N)."""
        return np.ascontiguousarray(self.points.T)

    @cached_property
    def _seen(self) -> DoubleArray:
        """Where they are seen, (2, N)."""
        return np.ascontiguousarray(self.x1[:, :2].T)


def tangent_plane(t: DoubleArray) -> DoubleArray:
    """Two orthonormal directions perpendicular to a unit vector t, (3, 2).

    Source: Duff et al. 2017, building an orthonormal basis, revisited.
    """
    x, y, z = t.tolist()
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    return np.array([[1.0 + sign * x * x * a, b], [sign * b, sign + y * y * a], [-sign * x, -y]])
