# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Motion from the homography of a plane, and whether the matches tell its two solutions apart."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lightmatch_ros.core.geometry.least_squares import Fit
from lightmatch_ros.core.geometry.motion import Motion, rotation_angle
from lightmatch_ros.core.geometry.relative_pose import Rays, clearly_behind, fit_motion
from lightmatch_ros.core.geometry.selection import clearly_better, scores_essential
from lightmatch_ros.core.types import DoubleArray

_MIN_VISIBLE = 0.9  # part of the plane's points that must lie in front of both cameras; guess
# Two fits count as the same motion within these; refined from both starts they agree to 1e-3 degrees.
_SAME_ROTATION_DEG = 0.5
_SAME_DIRECTION_DEG = 3.0


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


def best_motion(
    motions: list[Motion], essential: Fit | None, rays: Rays, threshold_px: float, sigma_px: float
) -> tuple[Fit | None, Fit | None]:
    """Refines each motion on all matches and picks the one that they support best.

    The points of the plane lie on the epipolar lines of both of its solutions alike. What tells them
    apart are points off the plane, and points that one solution puts behind a camera.

    Args:
        motions: of the plane.
        essential: a further candidate, refined already.
        rays: all matches.
        threshold_px: inlier threshold of the Sampson error.
        sigma_px: for the scores.

    Returns:
        The best, or None without any; and a different one that is not clearly worse, or None.
    """
    # Refined from a start near it, a motion would end in the essential one again.
    others = [motion for motion in motions if essential is None or not _same(motion, essential.motion)]
    fits = [fit_motion(motion, rays, threshold_px) for motion in others]
    fits += [] if essential is None else [essential]
    scored = [(fit, _scores(fit.motion, rays, threshold_px, sigma_px)) for fit in fits]
    scored.sort(key=lambda pair: -float(np.sum(pair[1])))  # stable
    if not scored:
        return None, None
    best, scores = scored[0]
    for fit, rival in scored[1:]:
        if not _same(best.motion, fit.motion) and not clearly_better(scores, rival):
            return best, fit
    return best, None


def _scores(motion: Motion, rays: Rays, threshold_px: float, sigma_px: float) -> DoubleArray:
    scores = scores_essential(motion.essential, rays, sigma_px)
    return np.where(clearly_behind(motion, rays, threshold_px), 0.0, scores)


def _same(a: Motion, b: Motion) -> bool:
    turn = math.degrees(rotation_angle(a.R.T @ b.R))
    direction = math.degrees(math.atan2(float(np.linalg.norm(np.cross(a.t, b.t))), float(a.t @ b.t)))
    return turn < _SAME_ROTATION_DEG and direction < _SAME_DIRECTION_DEG
