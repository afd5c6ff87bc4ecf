# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Lens distortion: rays to pixels and back, whatever the model."""

from __future__ import annotations

import enum

import cv2
import numpy as np
from numpy.typing import ArrayLike

from lightmatch_ros.core.errors import CalibrationError
from lightmatch_ros.core.types import DoubleArray

# A point whose undistorted ray does not come back to it this closely has no inverse: it lies outside
# the part of the image where the distortion model is one to one.
_ROUND_TRIP_PX = 0.1
# cv2's fixed-point iteration may stop at 1e-2 px, and how to ask for more differs between OpenCV 4 and 5.
# Newton's steps from there square the error: 1e-6 px takes one or two.
_NEWTON_STEPS = 8
_NEWTON_TOLERANCE_PX = 1e-6
_NEWTON_DIFFERENCE = 1e-6  # normalised; the balance of truncation and rounding in float64


class DistortionModel(enum.Enum):
    """Lens distortion, by the names of sensor_msgs/distortion_models."""

    NONE = "none"
    PLUMB_BOB = "plumb_bob"
    RATIONAL_POLYNOMIAL = "rational_polynomial"
    EQUIDISTANT = "equidistant"


# Empty D stands for no distortion in every model; 12 and 14 are OpenCV's extensions of the rational one.
_LENGTHS = {
    DistortionModel.NONE: (0,),
    DistortionModel.PLUMB_BOB: (0, 4, 5),
    DistortionModel.RATIONAL_POLYNOMIAL: (0, 8, 12, 14),
    DistortionModel.EQUIDISTANT: (0, 4),
}


def named(name: str, D: ArrayLike) -> tuple[DoubleArray, DistortionModel]:
    """The coefficients and model of a CameraInfo.

    An empty name is what simulators send; it stands for no distortion where D has nothing to say.

    Raises:
        CalibrationError: the name is unknown or a coefficient not finite.
    """
    coefficients = coefficients_of(D)
    known = [model.value for model in DistortionModel]
    if name in ("", DistortionModel.NONE.value) and not coefficients.any():
        return coefficients[:0], DistortionModel.NONE
    if name not in known:
        raise CalibrationError(f"distortion model: got {name!r}, wanted one of {', '.join(known)}")
    return coefficients, DistortionModel(name)


def coefficients_of(D: ArrayLike) -> DoubleArray:
    """D as a flat float64 array.

    Raises:
        CalibrationError: a coefficient is not finite.
    """
    coefficients = np.array(D, np.float64).ravel()
    if not np.isfinite(coefficients).all():
        raise CalibrationError(f"D: got {coefficients.tolist()}, wanted finite numbers")
    return coefficients


def check(D: DoubleArray, model: DistortionModel) -> None:
    """Checks that D fits the model.

    Raises:
        CalibrationError: a coefficient is not finite, or their number is wrong.
    """
    coefficients_of(D)
    allowed = _LENGTHS[model]
    if len(D) not in allowed:
        wanted = " or ".join(str(n) for n in allowed)
        raise CalibrationError(f"D: got {len(D)} coefficients, wanted {wanted} for {model.value}")


def distort(rays: DoubleArray, K: DoubleArray, D: DoubleArray, model: DistortionModel) -> DoubleArray:
    """Projects normalised coordinates to pixels.

    Args:
        rays: (N, 2), normalised (x/z, y/z).
        K: (3, 3), pixels.
        D: (n,), coefficients in OpenCV's order; empty without distortion.
        model: that D belongs to.

    Returns:
        (N, 2) float64, pixels.
    """
    if not D.any() or not len(rays):
        return _affine(K, rays)
    space = np.column_stack((rays, np.ones(len(rays))))[:, None]  # (N, 1, 3)
    zero = np.zeros(3)
    if model is DistortionModel.EQUIDISTANT:
        pixels, _ = cv2.fisheye.projectPoints(space, zero, zero, K, D)
    else:
        pixels, _ = cv2.projectPoints(space, zero, zero, K, D)
    return np.asarray(pixels, np.float64).reshape(-1, 2)


def undistort(points: DoubleArray, K: DoubleArray, D: DoubleArray, model: DistortionModel) -> DoubleArray:
    """The exact inverse of `distort`.

    Returns:
        (N, 2) float64, normalised; NaN for a point that no ray projects to.
    """
    if not D.any() or not len(points):
        return _affine(np.linalg.inv(K).astype(np.float64), points)
    result: DoubleArray = np.full_like(points, np.nan)
    finite = np.isfinite(points).all(axis=1)
    if finite.any():
        result[finite] = _undistort_finite(np.ascontiguousarray(points[finite]), K, D, model)
    return result


def _undistort_finite(points: DoubleArray, K: DoubleArray, D: DoubleArray, model: DistortionModel) -> DoubleArray:
    """OpenCV's iteration, then Newton's on the pixels that it missed."""
    inverse = cv2.fisheye.undistortPoints if model is DistortionModel.EQUIDISTANT else cv2.undistortPoints
    rays = np.array(inverse(points[:, None], K, D), np.float64).reshape(-1, 2)
    error = distort(rays, K, D, model) - points
    for _ in range(_NEWTON_STEPS):
        size = np.abs(error).max(axis=1)
        left = (size > _NEWTON_TOLERANCE_PX) & (size < np.inf)
        if not left.any():
            break
        rays[left] -= _newton_step(rays[left], error[left], K, D, model)
        error[left] = distort(rays[left], K, D, model) - points[left]
    rays[~(np.abs(error).max(axis=1) < _ROUND_TRIP_PX)] = np.nan  # an error of NaN too
    return rays


def _newton_step(
    rays: DoubleArray, error: DoubleArray, K: DoubleArray, D: DoubleArray, model: DistortionModel
) -> DoubleArray:
    """What a Newton iteration subtracts; zero where the model folds over (determinant not positive)."""
    step = _NEWTON_DIFFERENCE * (1.0 + np.abs(rays).max(axis=1, keepdims=True))
    pixels = distort(rays, K, D, model)
    dx = (distort(rays + step * [1.0, 0.0], K, D, model) - pixels) / step
    dy = (distort(rays + step * [0.0, 1.0], K, D, model) - pixels) / step
    determinant = dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0]
    safe = np.where(determinant > 0, determinant, np.inf)
    x = (dy[:, 1] * error[:, 0] - dy[:, 0] * error[:, 1]) / safe
    y = (dx[:, 0] * error[:, 1] - dx[:, 1] * error[:, 0]) / safe
    return np.column_stack((x, y))


def _affine(matrix: DoubleArray, points: DoubleArray) -> DoubleArray:
    """Applies an affine (3, 3) matrix, such as K or its inverse, to (N, 2) points."""
    result: DoubleArray = points @ matrix[:2, :2].T + matrix[:2, 2]
    return result
