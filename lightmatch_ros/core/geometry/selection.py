# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which of two models explains the matches: a homography, or an essential matrix."""

from __future__ import annotations

import math

import numpy as np

from lightmatch_ros.core.geometry.relative_pose import Rays
from lightmatch_ros.core.types import DoubleArray

# Chi-square at 95 % of 2 and of 1 degree of freedom: the values of the paper.
CHI2_HOMOGRAPHY = 5.99
CHI2_ESSENTIAL = 3.84
GAMMA = CHI2_HOMOGRAPHY  # the same for both, so that they score alike where both fit
# Measured on hand-held indoor sequences, 125 pairs that a homography explains: of the two solutions the wrong
# one scores higher 5 times; at 3 deviations none of them is clearly better, and 51 pairs stay undecided.
MIN_DEVIATIONS = 3.0
MIN_MARGIN = 1e-3  # of the score: without noise the differences are rounding errors, and all of one sign


def scores_homography(H: DoubleArray, rays: Rays, sigma_px: float) -> DoubleArray:
    """For each match GAMMA - d^2 / sigma^2, summed over the transfers of both directions within the gate.

    Args:
        H: (3, 3), x1 ~ H x0 in normalised coordinates.
        rays: the matches.
        sigma_px: standard deviation of a keypoint's coordinate, pixels.

    Returns:
        (N,) float64, 0 to 2 GAMMA; all zero where H is singular.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 2.
    """
    if not abs(np.linalg.det(H)) > 0:
        return np.zeros(len(rays))
    inverse = np.asarray(np.linalg.inv(H), np.float64)
    forward = _transfer(H, rays.x0, rays.x1) * (rays.focal1 / sigma_px) ** 2
    backward = _transfer(inverse, rays.x1, rays.x0) * (rays.focal0 / sigma_px) ** 2
    return _gated(forward, CHI2_HOMOGRAPHY) + _gated(backward, CHI2_HOMOGRAPHY)


def scores_essential(E: DoubleArray, rays: Rays, sigma_px: float) -> DoubleArray:
    """The same for the squared distances to the epipolar lines of both images.

    Args:
        E: (3, 3), x1^T E x0 = 0 in normalised coordinates.
        rays: the matches.
        sigma_px: standard deviation of a keypoint's coordinate, pixels.

    Returns:
        (N,) float64, 0 to 2 GAMMA.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 2.
    """
    line1, line0 = rays.x0 @ E.T, rays.x1 @ E
    squared = np.einsum("ij,ij->i", rays.x1, line1) ** 2
    forward = squared / (line1[:, 0] ** 2 + line1[:, 1] ** 2 + 1e-300) * (rays.focal1 / sigma_px) ** 2
    backward = squared / (line0[:, 0] ** 2 + line0[:, 1] ** 2 + 1e-300) * (rays.focal0 / sigma_px) ** 2
    return _gated(forward, CHI2_ESSENTIAL) + _gated(backward, CHI2_ESSENTIAL)


def ratio_h(score_h: float, score_e: float) -> float:
    """R_H = S_H / (S_H + S_E), 0 to 1; NaN where neither explains a match.

    About 0.5 where a homography explains as much as an essential matrix, which has fewer constraints:
    a planar scene or no parallax.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 3.
    """
    total = score_h + score_e
    return score_h / total if total > 0 else math.nan


def clearly_better(scores: DoubleArray, rival: DoubleArray) -> bool:
    """Whether one model scores better than another by more than chance and rounding explain.

    By chance: the sum of the differences exceeds MIN_DEVIATIONS of its standard deviation, estimated
    from the matches themselves. By rounding: it exceeds MIN_MARGIN of the score.

    Args:
        scores: (N,), of the model, match by match.
        rival: (N,), of the other.

    Source: Vuong 1989, test of models that do not contain each other.
    """
    difference = scores - rival
    gain = float(np.sum(difference))
    deviation = math.sqrt(float(np.sum(difference**2)))
    return gain > MIN_DEVIATIONS * deviation and gain > MIN_MARGIN * float(np.sum(scores))


def _transfer(H: DoubleArray, source: DoubleArray, target: DoubleArray) -> DoubleArray:
    """Squared distances in the target; infinite where a point maps to infinity."""
    warped = source @ H.T
    w = warped[:, 2]
    far = np.abs(w) <= 1e-12 * np.abs(H).max()
    difference = warped[:, :2] / np.where(far, 1.0, w)[:, None] - target[:, :2]
    squared: DoubleArray = np.where(far, np.inf, np.einsum("ij,ij->i", difference, difference))
    return squared


def _gated(squared: DoubleArray, gate: float) -> DoubleArray:
    return np.where(squared < gate, GAMMA - squared, 0.0)
