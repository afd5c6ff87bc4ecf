# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Covariance of a pose, from the derivatives of its inliers' errors."""

from __future__ import annotations

import math

import numpy as np

from lightmatch_ros.core.geometry.least_squares import Linearisation
from lightmatch_ros.core.geometry.results import unknown
from lightmatch_ros.core.types import DoubleArray

FLOOR_PX = 0.1  # no keypoint is better localised than this, however small the residuals; guess
SCALE_VARIANCE = 1.0  # along a translation of unit length whose scale is not known: 100 % of it
UNOBSERVABLE_VARIANCE = 1e6  # of each component of a translation of which nothing is known
_MIN_GATE = 1.0  # deviations; narrower, the mean square is nearly that of a uniform distribution
_MAX_CONDITION = 1e14  # of J^T J with unit diagonal; beyond it, float64 has no digit left


def pose_covariance(here: Linearisation, translation: DoubleArray, gate_px: float, *, metric: bool) -> DoubleArray:
    """Covariance of (x y z rx ry rz) of T_0_from_1.

    First-order: it counts the noise of the matches, not errors of the calibration or of the model.
    Least squares on the matches within a gate is an M-estimator. With normal noise of variance v, of
    which the gate leaves a mean square of s, its covariance is v^2 / s (J^T J)^-1.

    Convention: REP 103 order; translation added in frame 0, rotation vector about the fixed axes of
    frame 0, R_true = exp(r) R. Not metric: |t| = 1, and SCALE_VARIANCE is added along t. A direction
    that the parameters leave out (translation of a pure rotation) gets UNOBSERVABLE_VARIANCE.

    Args:
        here: residuals and derivatives, at the pose, of the matches that it was fitted to.
        translation: (3,), t of the pose; zero where it is not observable.
        gate_px: residuals beyond were left out.
        metric: the scale is known.

    Returns:
        (6, 6) float64, symmetric; NaN where the matches do not determine the parameters.

    Source: Hartley and Zisserman 2004, result 5.10; Huber 1981, asymptotic variance of M-estimators.
    """
    A = here.information
    scale = np.sqrt(np.diag(A))
    if not np.all(scale > 0):
        return unknown(6)
    A = A / np.outer(scale, scale)
    if not np.linalg.cond(A) < _MAX_CONDITION:
        return unknown(6)
    mean_square = residual_variance(here)
    noise = noise_variance(mean_square, gate_px, len(here.residuals))
    free = noise**2 / mean_square * np.linalg.inv(A) / np.outer(scale, scale)
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
    free: int = here.residuals.size - here.jacobian.shape[1]
    mean_square = float(np.sum(here.residuals**2)) / max(free, 1)
    return max(mean_square, FLOOR_PX * FLOOR_PX)


def noise_variance(mean_square: float, gate_px: float, components: int) -> float:
    """Variance of normal noise of which a gate leaves this mean square, pixels^2.

    Args:
        mean_square: of each component of the residuals within the gate, pixels^2.
        gate_px: residuals of greater length were left out.
        components: of a residual, 1 or 2.

    Returns:
        The variance; at most that of a gate at _MIN_GATE deviations, for beyond it the mean square
        hardly depends on the variance.
    """
    low, high = _MIN_GATE, 100.0  # deviations at which the gate may lie; bisection
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _kept_variance(middle, components) / middle**2 > mean_square / gate_px**2:
            low = middle
        else:
            high = middle
    return (gate_px / low) ** 2


def _kept_variance(gate: float, components: int) -> float:
    """Variance of each component of unit normal noise that is left within a gate, in deviations."""
    density = math.exp(-0.5 * gate**2)
    if components == 1:
        return 1.0 - math.sqrt(2.0 / math.pi) * gate * density / math.erf(gate / math.sqrt(2.0))
    return 1.0 - 0.5 * gate**2 * density / (1.0 - density)


def direction_std_deg(covariance: DoubleArray, translation: DoubleArray) -> float:
    """Standard deviation of the direction of a unit translation, degrees, in its worst direction."""
    if not np.isfinite(covariance).all():
        return math.inf
    across = np.eye(3) - np.outer(translation, translation)
    largest = float(np.linalg.eigvalsh(across @ covariance[:3, :3] @ across)[-1])
    return math.degrees(math.sqrt(max(0.0, largest)))
