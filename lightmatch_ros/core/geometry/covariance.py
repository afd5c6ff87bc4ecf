# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Covariance of a pose, from the derivatives of its inliers' errors."""

from __future__ import annotations

import math

import numpy as np

from lightmatch_ros.core.geometry.least_squares import Linearisation, information
from lightmatch_ros.core.geometry.results import unknown
from lightmatch_ros.core.types import DoubleArray

FLOOR_PX = 0.1  # no keypoint is better localised than this, however small the residuals; guess
SCALE_VARIANCE = 1.0  # along a translation of unit length whose scale is not known: 100 % of it
UNOBSERVABLE_VARIANCE = 1e6  # of each component of a translation of which nothing is known
_MAX_CONDITION = 1e14  # of J^T J with unit diagonal; beyond it, float64 has no digit left


def pose_covariance(here: Linearisation, translation: DoubleArray, *, metric: bool) -> DoubleArray:
    """Covariance of (x y z rx ry rz) of T_0_from_1.

    First-order: residual variance times the inverse of J^T J. It counts the noise of the inliers,
    not errors of the calibration or of the model.

    Convention: REP 103 order; translation added in frame 0, rotation vector about the fixed axes of
    frame 0, R_true = exp(r) R. Not metric: |t| = 1, and SCALE_VARIANCE is added along t. A direction
    that the parameters leave out (translation of a pure rotation) gets UNOBSERVABLE_VARIANCE.

    Args:
        here: residuals and derivatives of the inliers at the pose.
        translation: (3,), t of the pose; zero where it is not observable.
        metric: the scale is known.

    Returns:
        (6, 6) float64, symmetric; NaN where the inliers do not determine the parameters.

    Source: Hartley and Zisserman 2004, result 5.10.
    """
    A = information(here)
    scale = np.sqrt(np.diag(A))
    if not np.all(scale > 0):
        return unknown(6)
    A = A / np.outer(scale, scale)
    if not np.linalg.cond(A) < _MAX_CONDITION:
        return unknown(6)
    free = residual_variance(here) * np.linalg.inv(A) / np.outer(scale, scale)
    covariance = here.basis @ free @ here.basis.T
    if not metric and translation.any():
        covariance[:3, :3] += SCALE_VARIANCE * np.outer(translation, translation)
    elif not metric:
        covariance[:3, :3] = UNOBSERVABLE_VARIANCE * np.eye(3)
    symmetric: DoubleArray = 0.5 * (covariance + covariance.T)
    return symmetric


def without_translation(covariance: DoubleArray) -> DoubleArray:
    """The same covariance where the translation turned out not to be observable."""
    result: DoubleArray = covariance.copy()
    result[:3, :] = result[:, :3] = 0.0
    result[:3, :3] = UNOBSERVABLE_VARIANCE * np.eye(3)
    return result


def residual_variance(here: Linearisation) -> float:
    """Variance of one residual, pixels^2: their mean square for the degrees of freedom left."""
    free = here.residuals.size - here.jacobian.shape[-1]
    return max(float(np.sum(here.residuals**2)) / max(free, 1), FLOOR_PX**2)


def direction_std_deg(covariance: DoubleArray, translation: DoubleArray) -> float:
    """Standard deviation of the direction of a unit translation, degrees, in its worst direction."""
    if not np.isfinite(covariance).all():
        return math.inf
    across = np.eye(3) - np.outer(translation, translation)
    largest = float(np.linalg.eigvalsh(across @ covariance[:3, :3] @ across)[-1])
    return math.degrees(math.sqrt(max(0.0, largest)))
