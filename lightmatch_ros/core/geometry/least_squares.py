# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Refinement of a motion by least squares on its inliers, with the inliers selected anew in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightmatch_ros.core.geometry.motion import Motion
from lightmatch_ros.core.types import BoolArray, DoubleArray

_ROUNDS = 8  # of inlier selection; 3 do nearly always
_STEPS = 2  # of Levenberg-Marquardt for a round: more would be spent on matches that leave in the next
_FIRST_DAMPING = 1e-4  # guess
_NEGLIGIBLE = 1e-3  # of the variance, as a gain: a thirtieth of a standard deviation is left


_MEDIAN_OF_UNIT_NOISE = {1: 0.6745, 2: 1.1774}  # of |r|: normal and Rayleigh distribution
_GATE_DEVIATIONS = 3.0
_MIN_GATE_PX = 0.3  # three times the noise of the best keypoints

_MAX_LEVERAGE = 0.999  # keeps the division finite

Rejects = Callable[[Motion], BoolArray]


@dataclass(frozen=True, eq=False)
class Linearisation:
    """Residuals at a motion, with their derivatives.

    Attributes:
        residuals: (N, m) float64, pixels, m of them a match.
        jacobian: (N, m, p) float64, pixels for a unit of each free parameter.
        basis: (6, p) float64: free parameters to a step x y z rx ry rz of `Motion.moved`.
    """

    residuals: DoubleArray
    jacobian: DoubleArray
    basis: DoubleArray


class ErrorModel(Protocol):
    """What a match costs, as a function of the motion."""

    def residuals(self, motion: Motion) -> DoubleArray:
        """(N, m) float64, pixels."""

    def linearise(self, motion: Motion) -> Linearisation:
        """The residuals with their derivatives."""

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Applies a step x y z rx ry rz within what the model can observe."""

    def select(self, mask: BoolArray) -> ErrorModel:
        """The same model of fewer matches."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A refined motion.

    Attributes:
        motion: T_0_from_1.
        errors: (N,) float64, size of the residual of each match, pixels.
        inliers: (N,) bool, errors within the threshold and not rejected.
        used: (N,) bool, the inliers within the gate: those that the motion was fitted to.
        gate_px: the threshold, or less where the inliers' own noise is far smaller.
    """

    motion: Motion
    errors: DoubleArray
    inliers: BoolArray
    used: BoolArray
    gate_px: float

    @property
    def rms_px(self) -> float:
        """Root mean square error of the inliers, pixels; NaN without inliers."""
        inside = self.errors[self.inliers]
        return float(np.sqrt(np.mean(inside**2))) if len(inside) else float("nan")


def refine(model: ErrorModel, motion: Motion, threshold_px: float, rejects: Rejects | None = None) -> Fit:
    """Alternates between selecting inliers and minimising their squared residuals.

    Args:
        model: of all matches, outliers too.
        motion: T_0_from_1, from a robust estimator.
        threshold_px: a match is an inlier when its residual is smaller.
        rejects: tells the matches that a motion rules out, whatever their residual.

    Returns:
        The refined motion; its inliers are those at the refined motion.
    """
    fit = assess(model, motion, threshold_px, rejects)
    for _ in range(_ROUNDS):
        if not fit.used.any():
            break
        motion, here, converged = minimise(model.select(fit.used), fit.motion, _STEPS)
        leverage = np.zeros(len(fit.used))
        leverage[fit.used] = leverages(here)
        previous, fit = fit, assess(model, motion, threshold_px, rejects, leverage)
        if converged and np.array_equal(previous.used, fit.used):
            break
    return fit


def assess(
    model: ErrorModel,
    motion: Motion,
    threshold_px: float,
    rejects: Rejects | None = None,
    leverage: DoubleArray | None = None,
) -> Fit:
    """Selects the inliers of a motion as it is.

    Args:
        model: of all matches.
        motion: T_0_from_1.
        threshold_px: a match is an inlier when its residual is smaller.
        rejects: tells the matches that a motion rules out, whatever their residual.
        leverage: (N,) of each match on the motion, 0 for those that it was not fitted to.
    """
    residuals = model.residuals(motion)
    errors = np.linalg.norm(residuals, axis=1)
    inliers = errors < threshold_px
    if rejects is not None:
        inliers &= ~rejects(motion)
    gate_px = min(threshold_px, _gate(errors[inliers], residuals.shape[1]))
    # An outlier that has pulled the motion towards itself has a small residual, and a large leverage.
    studentised = errors if leverage is None else errors / np.sqrt(1.0 - leverage)
    return Fit(motion, errors, inliers, inliers & (studentised < gate_px), gate_px)


def leverages(here: Linearisation) -> DoubleArray:
    """How much each match determines its own residual, (N,), 0 to 1; their sum is at most p.

    Source: Belsley, Kuh, Welsch 1980, section 2.1: diagonal of J (J^T J)^-1 J^T, summed over the
        components of a match.
    """
    p = here.jacobian.shape[-1]
    A = information(here)
    A[np.diag_indices(p)] += 1e-12 * np.trace(A) + 1e-300
    J = here.jacobian.reshape(-1, p)
    sums = np.sum(J @ np.linalg.inv(A) * J, axis=1).reshape(len(here.jacobian), -1).sum(axis=1)
    return np.asarray(np.clip(sums, 0.0, _MAX_LEVERAGE), np.float64)


def _gate(errors: DoubleArray, components: int) -> float:
    """Errors beyond are not those of the inliers' noise, pixels.

    An outlier that is within the threshold by chance pulls the harder the better the inliers agree.

    Args:
        errors: (N,), sizes of residuals.
        components: of a residual, 1 or 2.
    """
    if not len(errors):
        return math.inf
    median = float(np.partition(errors, len(errors) // 2)[len(errors) // 2])  # np.median takes five times as long
    sigma = median / _MEDIAN_OF_UNIT_NOISE[components]
    return max(_GATE_DEVIATIONS * sigma, _MIN_GATE_PX)


def minimise(model: ErrorModel, motion: Motion, steps: int) -> tuple[Motion, Linearisation, bool]:
    """Levenberg-Marquardt from a motion.

    Args:
        model: of the matches to fit.
        motion: start.
        steps: at the most.

    Returns:
        Where it ends, the derivatives there, and whether it is the minimum for practical purposes.

    Source: Madsen, Nielsen, Tingleff 2004, section 3.2.
    """
    here = model.linearise(motion)
    cost, damping = float(np.sum(here.residuals**2)), _FIRST_DAMPING
    for _ in range(steps):
        trial = model.retract(motion, here.basis @ _solve(here, damping))
        there = model.linearise(trial)
        gain = cost - float(np.sum(there.residuals**2))
        # A standard deviation away from the minimum, the cost exceeds it by the variance, cost / N.
        converged = abs(gain) < _NEGLIGIBLE * cost / here.residuals.size
        if gain > 0:
            motion, here, cost, damping = trial, there, cost - gain, 0.1 * damping
        else:
            damping *= 100.0
        if converged:
            return motion, here, True
    return motion, here, False


def information(here: Linearisation) -> DoubleArray:
    """J^T J, (p, p)."""
    J = here.jacobian.reshape(-1, here.jacobian.shape[-1])
    result: DoubleArray = J.T @ J
    return result


def _solve(here: Linearisation, damping: float) -> DoubleArray:
    p = here.jacobian.shape[-1]
    J = here.jacobian.reshape(-1, p)
    A = J.T @ J
    # The absolute term keeps a direction that no match constrains solvable: its step is zero.
    A[np.diag_indices(p)] += damping * np.diag(A) + 1e-12 * np.trace(A) + 1e-300
    return np.asarray(np.linalg.solve(A, -J.T @ here.residuals.ravel()), np.float64)
