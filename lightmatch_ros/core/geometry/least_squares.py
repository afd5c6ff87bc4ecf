# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Refinement of a motion by least squares on its inliers, with the inliers selected anew in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightmatch_ros.core.geometry.motion import Motion
from lightmatch_ros.core.types import BoolArray, DoubleArray

_ROUNDS = 4  # of inlier selection; the set rarely changes after the second
_STEPS = 6  # of Levenberg-Marquardt for a round; 2 or 3 do nearly always
_FIRST_DAMPING = 1e-4  # guess
_CONVERGED = 1e-5  # length of a step, radians: 0.005 px at a focal length of 500 px


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
        inliers: (N,) bool, errors within the threshold.
    """

    motion: Motion
    errors: DoubleArray
    inliers: BoolArray

    @property
    def rms_px(self) -> float:
        """Root mean square error of the inliers, pixels; NaN without inliers."""
        inside = self.errors[self.inliers]
        return float(np.sqrt(np.mean(inside**2))) if len(inside) else float("nan")


def refine(model: ErrorModel, motion: Motion, threshold_px: float) -> Fit:
    """Alternates between selecting inliers and minimising their squared residuals.

    Args:
        model: of all matches, outliers too.
        motion: T_0_from_1, from a robust estimator.
        threshold_px: a match is an inlier when its residual is smaller.

    Returns:
        The refined motion; its inliers are those at the refined motion.
    """
    fit = assess(model, motion, threshold_px)
    for _ in range(_ROUNDS):
        if not fit.inliers.any():
            break
        motion = minimise(model.select(fit.inliers), fit.motion)
        previous, fit = fit, assess(model, motion, threshold_px)
        if np.array_equal(previous.inliers, fit.inliers):
            break
    return fit


def assess(model: ErrorModel, motion: Motion, threshold_px: float) -> Fit:
    """Selects the inliers of a motion as it is."""
    errors = np.linalg.norm(model.residuals(motion), axis=1)
    return Fit(motion, errors, errors < threshold_px)


def minimise(model: ErrorModel, motion: Motion) -> Motion:
    """Levenberg-Marquardt from a motion. Source: Madsen, Nielsen, Tingleff 2004, section 3.2."""
    here = model.linearise(motion)
    cost, damping = float(np.sum(here.residuals**2)), _FIRST_DAMPING
    for _ in range(_STEPS):
        step = here.basis @ _solve(here, damping)
        trial = model.retract(motion, step)
        there = model.linearise(trial)
        trial_cost = float(np.sum(there.residuals**2))
        if trial_cost < cost:
            motion, here, cost, damping = trial, there, trial_cost, 0.1 * damping
        else:
            damping *= 10.0
        if np.linalg.norm(step) < _CONVERGED:
            break
    return motion


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
