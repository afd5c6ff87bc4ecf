# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Refinement of a motion by least squares on its inliers, which are selected anew at every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lightmatch_ros.core.geometry.motion import Motion
from lightmatch_ros.core.types import BoolArray, DoubleArray

_STEPS = 15  # 4 to 6 do as a rule
_FIRST_DAMPING = 1e-4  # guess
_NEGLIGIBLE = 1e-3  # of the variance, as a gain: a thirtieth of a standard deviation is left
_GATE_DEVIATIONS = 3.0
_MIN_GATE_PX = 0.3  # three times the noise of the best keypoints
_MEDIAN_OF_UNIT_NOISE = {1: 0.6745, 2: 1.1774}  # of |r|: normal and Rayleigh distribution
_MAX_LEVERAGE = 0.999  # keeps the division finite


@dataclass(frozen=True, eq=False)
class Linearisation:
    """Residuals at a motion, with their derivatives; matches go last, where numpy's loops are long.

    Attributes:
        residuals: (m, N) float64, pixels, m of them a match.
        jacobian: (m, p, N) float64, pixels for a unit of each free parameter.
        basis: (6, p) float64: free parameters to a step x y z rx ry rz of `Motion.moved`.
    """

    residuals: DoubleArray
    jacobian: DoubleArray
    basis: DoubleArray

    @property
    def errors(self) -> DoubleArray:
        """(N,) float64, sizes of the residuals, pixels."""
        return np.asarray(np.sqrt(np.einsum("mn,mn->n", self.residuals, self.residuals)), np.float64)

    @property
    def information(self) -> DoubleArray:
        """J^T J, (p, p) float64."""
        return np.asarray(np.sum(self.jacobian @ self.jacobian.transpose(0, 2, 1), axis=0), np.float64)

    def select(self, mask: BoolArray) -> Linearisation:
        """That of fewer matches."""
        kept = np.flatnonzero(mask)  # taken at once in each row: a mask would be looked through again in each
        return Linearisation(self.residuals.take(kept, 1), self.jacobian.take(kept, 2), self.basis)


class ErrorModel(Protocol):
    """What a match costs, as a function of the motion."""

    def linearise(self, motion: Motion) -> Linearisation:
        """The residuals of all matches, with their derivatives."""

    def retract(self, motion: Motion, step: DoubleArray) -> Motion:
        """Applies a step x y z rx ry rz within what the model can observe."""


Rejects = Callable[[Motion], BoolArray]


@dataclass(frozen=True, eq=False)
class Fit:
    """A motion with the matches that agree with it.

    Attributes:
        motion: T_0_from_1.
        errors: (N,) float64, size of the residual of each match, pixels.
        inliers: (N,) bool, errors within the threshold and not rejected.
        used: (N,) bool, the inliers within the gate: those that the motion is fitted to.
        gate_px: the threshold, or less where the inliers' own noise is far smaller.
        here: residuals and derivatives of the used matches at the motion.
    """

    motion: Motion
    errors: DoubleArray
    inliers: BoolArray
    used: BoolArray
    gate_px: float
    here: Linearisation

    @property
    def rms_px(self) -> float:
        """Root mean square error of the inliers, pixels; NaN without inliers."""
        inside = self.errors[self.inliers]
        return float(np.sqrt(np.mean(inside**2))) if len(inside) else float("nan")


def refine(model: ErrorModel, motion: Motion, threshold_px: float, rejects: Rejects | None = None) -> Fit:
    """Minimises the squared residuals of the inliers, selecting them anew after each step.

    Args:
        model: of all matches, outliers too.
        motion: T_0_from_1, from a robust estimator.
        threshold_px: a match is an inlier when its residual is smaller.
        rejects: tells the matches that a motion rules out, whatever their residual.

    Returns:
        The refined motion; its inliers are those at the refined motion.

    Source: Levenberg-Marquardt as in Madsen, Nielsen, Tingleff 2004, section 3.2.
    """
    fit, damping = assess(model, motion, threshold_px, rejects), _FIRST_DAMPING
    earlier: BoolArray | None = None  # used two steps ago
    for _ in range(_STEPS):
        if not fit.used.any():
            break
        trial = model.retract(fit.motion, fit.here.basis @ _step(fit.here, damping))
        there = model.linearise(trial)
        cost = float(np.sum(fit.here.residuals**2))
        gain = cost - float(np.sum(there.residuals[:, fit.used] ** 2))
        # A standard deviation away from the minimum, the cost exceeds it by the variance, cost / N.
        settled = abs(gain) <= _NEGLIGIBLE * cost / fit.here.residuals.size
        if gain <= 0:
            damping *= 100.0
        else:
            damping *= 0.1
            previous, fit = fit, _selected(there, trial, threshold_px, rejects, fit.used)
            unchanged = np.array_equal(previous.used, fit.used)
            # A few matches at the gate can go in and out for ever, each set's minimum selecting the other.
            cycles = not unchanged and earlier is not None and np.array_equal(earlier, fit.used)
            settled = (settled and unchanged) or cycles
            earlier = previous.used
        if settled:
            break
    return fit


def assess(model: ErrorModel, motion: Motion, threshold_px: float, rejects: Rejects | None = None) -> Fit:
    """Selects the inliers of a motion as it is; the arguments are those of `refine`."""
    return _selected(model.linearise(motion), motion, threshold_px, rejects, None)


def _selected(
    everywhere: Linearisation,
    motion: Motion,
    threshold_px: float,
    rejects: Rejects | None,
    fitted: BoolArray | None,
) -> Fit:
    """The inliers at a motion; ``fitted`` are the matches that the motion was fitted to."""
    errors = everywhere.errors
    inliers = errors < threshold_px
    if rejects is not None:
        inliers &= ~rejects(motion)
    gate_px = min(threshold_px, _gate(errors[inliers], len(everywhere.residuals)))
    # An outlier that has pulled the motion towards itself has a small residual, and a large leverage.
    studentised = errors.copy()
    if fitted is not None:
        studentised[fitted] /= np.sqrt(1.0 - leverages(everywhere.select(fitted)))
    used = inliers & (studentised < gate_px)
    return Fit(motion, errors, inliers, used, gate_px, everywhere.select(used))


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
    return max(_GATE_DEVIATIONS * median / _MEDIAN_OF_UNIT_NOISE[components], _MIN_GATE_PX)


def leverages(here: Linearisation) -> DoubleArray:
    """How much each match determines its own residual, (N,), 0 to 1; their sum is at most p.

    Source: Belsley, Kuh, Welsch 1980, section 2.1: diagonal of J (J^T J)^-1 J^T, summed over the
        components of a match.
    """
    J = here.jacobian
    sums = np.einsum("mpn,mpn->n", np.linalg.inv(_regular(here.information)) @ J, J)
    return np.asarray(np.clip(sums, 0.0, _MAX_LEVERAGE), np.float64)


def _step(here: Linearisation, damping: float) -> DoubleArray:
    A = here.information
    A[np.diag_indices(len(A))] *= 1.0 + damping
    gradient = np.sum(here.jacobian @ here.residuals[..., None], axis=0)[:, 0]
    return np.asarray(np.linalg.solve(_regular(A), -gradient), np.float64)


def _regular(A: DoubleArray) -> DoubleArray:
    """A with a direction that no match constrains made solvable: its step is zero."""
    return np.asarray(A + (1e-12 * np.trace(A) + 1e-300) * np.eye(len(A)), np.float64)
