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


def score_homography(H: DoubleArray, rays: Rays, sigma_px: float) -> float:
    """Sum over matches and both directions of GAMMA - d^2 / sigma^2 for the transfers within the gate.

    Args:
        H: (3, 3), x1 ~ H x0 in normalised coordinates.
        rays: the matches.
        sigma_px: standard deviation of a keypoint's coordinate, pixels.

    Returns:
        The score, 0 or more; 0 where H is singular.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 2.
    """
    if not abs(np.linalg.det(H)) > 0:
        return 0.0
    inverse = np.asarray(np.linalg.inv(H), np.float64)
    forward = _transfer(H, rays.x0, rays.x1) * (rays.focal1 / sigma_px) ** 2
    backward = _transfer(inverse, rays.x1, rays.x0) * (rays.focal0 / sigma_px) ** 2
    return _score(forward, CHI2_HOMOGRAPHY) + _score(backward, CHI2_HOMOGRAPHY)


def score_essential(E: DoubleArray, rays: Rays, sigma_px: float) -> float:
    """The same for the squared distances to the epipolar lines of both images.

    Args:
        E: (3, 3), x1^T E x0 = 0 in normalised coordinates.
        rays: the matches.
        sigma_px: standard deviation of a keypoint's coordinate, pixels.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 2.
    """
    line1, line0 = rays.x0 @ E.T, rays.x1 @ E
    squared = np.einsum("ij,ij->i", rays.x1, line1) ** 2
    forward = squared / (line1[:, 0] ** 2 + line1[:, 1] ** 2 + 1e-300) * (rays.focal1 / sigma_px) ** 2
    backward = squared / (line0[:, 0] ** 2 + line0[:, 1] ** 2 + 1e-300) * (rays.focal0 / sigma_px) ** 2
    return _score(forward, CHI2_ESSENTIAL) + _score(backward, CHI2_ESSENTIAL)


def ratio_h(score_h: float, score_e: float) -> float:
    """R_H = S_H / (S_H + S_E), 0 to 1; NaN where neither explains a match.

    About 0.5 where a homography explains as much as an essential matrix, which has fewer constraints:
    a planar scene or no parallax.

    Source: Mur-Artal, Montiel, Tardos 2015 (ORB-SLAM), equation 3.
    """
    total = score_h + score_e
    return score_h / total if total > 0 else math.nan


def _transfer(H: DoubleArray, source: DoubleArray, target: DoubleArray) -> DoubleArray:
    """Squared distances in the target; infinite where a point maps to infinity."""
    warped = source @ H.T
    w = warped[:, 2]
    far = np.abs(w) <= 1e-12 * np.abs(H).max()
    difference = warped[:, :2] / np.where(far, 1.0, w)[:, None] - target[:, :2]
    squared: DoubleArray = np.where(far, np.inf, np.einsum("ij,ij->i", difference, difference))
    return squared


def _score(squared: DoubleArray, gate: float) -> float:
    return float(np.sum(GAMMA - squared[squared < gate]))
