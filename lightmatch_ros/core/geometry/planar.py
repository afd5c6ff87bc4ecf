# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Motion from the homography of a plane, and whether the matches tell its two solutions apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lightmatch_ros.core.geometry.least_squares import Fit
from lightmatch_ros.core.geometry.motion import Motion, rotation_angle
from lightmatch_ros.core.geometry.relative_pose import Rays, fit_motion
from lightmatch_ros.core.geometry.selection import score_essential
from lightmatch_ros.core.types import DoubleArray

_MIN_VISIBLE = 0.9  # part of the plane's points that must lie in front of both cameras; guess
# Two fits count as the same motion within these; refined from both starts they agree to 1e-3 degrees.
_SAME_ROTATION_DEG = 0.5
_SAME_DIRECTION_DEG = 3.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A motion with its support among all matches.

    Attributes:
        fit: refined by the Sampson error.
        score: `score_essential` of the refined motion.
    """

    fit: Fit
    score: float


def motions_of_plane(H: DoubleArray, plane: Rays) -> list[Motion]:
    """The motions T_0_from_1 that explain a homography, with |t| = 1 and the plane's points in front.

    Two remain as a rule; one where the camera looks at the plane along the translation.

    Args:
        H: (3, 3), x1 ~ H x0 in normalised coordinates.
        plane: the matches that agree with H.

    Source: Malis and Vargas 2007, in OpenCV; visibility as in its section 4: n . x0 > 0, with
        H = R + t n^T, X1 = R X0 + t, n . X0 = 1.
    """
    count, rotations, translations, normals = cv2.decomposeHomographyMat(H, np.eye(3))
    motions = []
    for R, t, n in zip(rotations[:count], translations[:count], normals[:count], strict=True):
        visible = np.mean(plane.x0 @ n.ravel() > 0)
        length = float(np.linalg.norm(t))
        if visible >= _MIN_VISIBLE and length > 1e-9 and np.isfinite(length):
            motions.append(Motion(np.asarray(R, np.float64), t.ravel() / length).inverse)
    return motions


def best_candidate(
    motions: list[Motion], rays: Rays, threshold_px: float, sigma_px: float, margin: float
) -> tuple[Candidate | None, bool]:
    """Refines each motion on all matches and picks the one that they support best.

    The points of the plane support both of its solutions alike; those off the plane tell them apart.

    Args:
        motions: starts, such as those of a plane and that of an essential matrix.
        rays: all matches.
        threshold_px: inlier threshold of the Sampson error.
        sigma_px: for the score.
        margin: part of the best score by which it must exceed that of any different motion.

    Returns:
        The best, or None without motions; and whether a different motion comes within the margin.
    """
    candidates = []
    for motion in motions:
        fit = fit_motion(motion, rays, threshold_px)
        E = fit.motion.essential
        score = score_essential(E, rays, sigma_px)
        candidates.append(Candidate(fit, score))
    candidates.sort(key=lambda candidate: -candidate.score)
    if not candidates:
        return None, False
    best = candidates[0]
    rivals = [c for c in candidates[1:] if not _same(best.fit.motion, c.fit.motion)]
    return best, any(c.score > (1.0 - margin) * best.score for c in rivals)


def _same(a: Motion, b: Motion) -> bool:
    turn = math.degrees(rotation_angle(a.R.T @ b.R))
    direction = math.degrees(math.atan2(float(np.linalg.norm(np.cross(a.t, b.t))), float(a.t @ b.t)))
    return turn < _SAME_ROTATION_DEG and direction < _SAME_DIRECTION_DEG
