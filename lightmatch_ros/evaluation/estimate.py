# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From matches to a homography or a motion, by MAGSAC: one estimator for every matcher.

Source: Barath et al., "MAGSAC++", CVPR 2020, by OpenCV; the way from an essential matrix to a pose and its error as in
SuperGlue (CVPR 2020), section 5.3, LoFTR (CVPR 2021), section 4.2 and LightGlue (ICCV 2023), section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lightmatch_ros.core.metrics import MIN_BASELINE_M, direction_error_deg, rotation_error_deg
from lightmatch_ros.core.types import BoolArray, DoubleArray, FloatArray

HOMOGRAPHY_THRESHOLD_PX = 3.0
ESSENTIAL_THRESHOLD_PX = 1.0
CONFIDENCE = 0.99999
MAX_ITERATIONS = 10000
_FAR = 1e9  # in baselines: recoverPose shall not drop distant points


@dataclass(frozen=True, eq=False)
class Estimate:
    """What MAGSAC made of the matches.

    Attributes:
        model: homography (3, 3), or T_1_from_0 (4, 4) with a translation of unit length; None where there is none.
        inliers: (K,) of the matches.
    """

    model: DoubleArray | None
    inliers: BoolArray


def estimate_homography(points0: FloatArray, points1: FloatArray) -> Estimate:
    """Estimates ``x1 ~ H x0`` from pixels (K, 2)."""
    nothing = Estimate(None, np.zeros(len(points0), np.bool_))
    if len(points0) < 4:
        return nothing
    H, mask = cv2.findHomography(
        points0, points1, cv2.USAC_MAGSAC, HOMOGRAPHY_THRESHOLD_PX, maxIters=MAX_ITERATIONS, confidence=CONFIDENCE
    )
    if H is None or not np.isfinite(H).all() or abs(np.linalg.det(H)) < 1e-12:
        return nothing
    return Estimate(np.asarray(H), mask.ravel() > 0)


def estimate_motion(normalised0: DoubleArray, normalised1: DoubleArray, focal_px: float) -> Estimate:
    """Estimates T_1_from_0 from normalised coordinates (K, 2) and the mean focal length that scales the threshold."""
    nothing = Estimate(None, np.zeros(len(normalised0), np.bool_))
    if len(normalised0) < 5:
        return nothing
    E, mask = cv2.findEssentialMat(
        normalised0,
        normalised1,
        np.eye(3),
        method=cv2.USAC_MAGSAC,
        prob=CONFIDENCE,
        threshold=ESSENTIAL_THRESHOLD_PX / focal_px,
        maxIters=MAX_ITERATIONS,
    )
    if E is None or len(E) < 3 or not np.isfinite(E).all():
        return nothing
    most, best = 0, None
    for candidate in np.split(E, len(E) // 3):
        # Newer versions return one value more.
        count, R, t = cv2.recoverPose(
            candidate, normalised0, normalised1, np.eye(3), distanceThresh=_FAR, mask=mask.copy()
        )[:3]
        if count > most:
            most, best = count, np.block([[R, t.reshape(3, 1)], [np.zeros((1, 3)), np.ones((1, 1))]])
    return Estimate(best, mask.ravel() > 0)


def pose_error_deg(estimated: DoubleArray | None, true: DoubleArray) -> float:
    """Returns the larger of the errors of rotation and translation direction, degrees; infinite without an estimate.

    An essential matrix does not know the sign of its translation: the error of the direction is at most 90 degrees.
    Where the true baseline is too short for a direction, the rotation alone counts.
    """
    if estimated is None:
        return float("inf")
    rotation = rotation_error_deg(estimated, true)
    if np.linalg.norm(true[:3, 3]) < MIN_BASELINE_M:
        return rotation
    direction = direction_error_deg(estimated, true)
    return max(rotation, min(direction, 180 - direction))
