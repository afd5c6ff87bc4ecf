# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The homography between two images, robustly, and how much of the images it makes overlap."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.motion import homogeneous
from lightmatch_ros.core.geometry.results import HomographyEstimate, Reason
from lightmatch_ros.core.types import DoubleArray

_ROUNDS = 2  # of least squares and inlier selection after the robust estimate
_MIN_MATCHES = 4
_MIN_H22 = 1e-9  # of the largest entry: under it, pixel (0, 0) maps to infinity and H[2, 2] = 1 cannot be

Size = tuple[int, int]


def estimate_homography(
    points0: DoubleArray,
    points1: DoubleArray,
    config: GeometryConfig,
    size0: Size | None = None,
    size1: Size | None = None,
) -> HomographyEstimate:
    """Finds H with x1 ~ H x0.

    Convention: x right, y down, pixel centre = integer.

    Args:
        points0: (K, 2), pixels of the keyframe, best match first.
        points1: (K, 2), pixels of the current frame.
        config: h_threshold_px, confidence, max_iterations and min_inliers serve.
        size0: (width, height) of the keyframe, for the overlap.
        size1: (width, height) of the current frame, for the overlap.

    Source: MAGSAC++ (Barath et al. 2020) and PROSAC (Chum and Matas 2005), by OpenCV's USAC; then
        least squares on the inliers.
    """
    if len(points0) < max(_MIN_MATCHES, config.min_inliers):
        return HomographyEstimate.failed(Reason.TOO_FEW_MATCHES, len(points0))
    fitted = _fit(points0, points1, config)
    if fitted is None:
        reason = Reason.DEGENERATE if _any_narrow(points0, points1, config) else Reason.TOO_FEW_INLIERS
        return HomographyEstimate.failed(reason, len(points0))
    H, errors = fitted
    inliers = errors < config.h_threshold_px
    if np.count_nonzero(inliers) < max(_MIN_MATCHES, config.min_inliers):
        return HomographyEstimate.failed(Reason.TOO_FEW_INLIERS, len(points0))
    if _any_narrow(points0[inliers], points1[inliers], config):
        return HomographyEstimate.failed(Reason.DEGENERATE, len(points0))
    rms = math.sqrt(float(np.mean(errors[inliers] ** 2)))
    overlap = math.nan if size0 is None or size1 is None else overlap_of(H * _front(H, points0), size0, size1)
    return HomographyEstimate(True, Reason.NONE, H, inliers, rms, overlap)


def transfer_errors(H: DoubleArray, points0: DoubleArray, points1: DoubleArray) -> DoubleArray:
    """Distance in the current frame between each point and where H puts its match.

    Args:
        H: (3, 3), of either sign: the side of the horizon on which most points lie is the front.
        points0: (K, 2), pixels.
        points1: (K, 2), pixels.

    Returns:
        (K,) float64, pixels; infinite for a point behind the horizon.
    """
    warped = homogeneous(points0) @ H.T
    w = warped[:, 2]
    front = w * _front(H, points0) > 1e-12 * np.abs(H).max()
    difference = warped[:, :2] / np.where(front, w, np.inf)[:, None] - points1
    errors: DoubleArray = np.where(front, np.hypot(difference[:, 0], difference[:, 1]), np.inf)
    return errors


def overlap_of(H: DoubleArray, size0: Size, size1: Size) -> float:
    """Part of the current image that the keyframe's rectangle covers once warped by H, 0 to 1.

    The rectangle is clipped in homogeneous coordinates against the four sides of the current image,
    x - left w >= 0 and so on. Together they imply w >= 0, so a rectangle that crosses the line at
    infinity needs no case of its own.

    Args:
        H: (3, 3), x1 ~ H x0, pixels, with the sign that gives visible points w > 0.
        size0: (width, height) of the keyframe.
        size1: (width, height) of the current frame.

    Source: Sutherland and Hodgman 1974; clipping before the division by w as in Blinn and Newell 1978.
    """
    left, top = -0.5, -0.5  # pixel centre = integer: the image begins half a pixel before its first centre
    right, bottom = size0[0] - 0.5, size0[1] - 0.5
    corners = [[left, top, 1.0], [right, top, 1.0], [right, bottom, 1.0], [left, bottom, 1.0]]
    polygon = np.array(corners) @ H.T
    right, bottom = size1[0] - 0.5, size1[1] - 0.5
    for side in ([1.0, 0.0, -left], [-1.0, 0.0, right], [0.0, 1.0, -top], [0.0, -1.0, bottom]):
        polygon = _clip(polygon, np.array(side))
    if len(polygon) < 3:
        return 0.0
    area = _area(polygon[:, :2] / np.maximum(polygon[:, 2:], 1e-300))
    return min(1.0, area / (size1[0] * size1[1]))


def _fit(points0: DoubleArray, points1: DoubleArray, config: GeometryConfig) -> tuple[DoubleArray, DoubleArray] | None:
    """H and the transfer errors, or None where there is no usable one."""
    H = _robust(points0, points1, config)
    if H is None:
        return None
    errors = transfer_errors(H, points0, points1)
    for _ in range(_ROUNDS):
        inliers = errors < config.h_threshold_px
        if np.count_nonzero(inliers) < _MIN_MATCHES:
            break
        better, _ = cv2.findHomography(points0[inliers], points1[inliers], 0)
        if better is None:
            break
        better_errors = transfer_errors(np.asarray(better, np.float64), points0, points1)
        if np.count_nonzero(better_errors < config.h_threshold_px) < np.count_nonzero(inliers):
            break
        H, errors = np.asarray(better, np.float64), better_errors
    H = _normalised(H, points0)
    return None if H is None else (H, errors)


def _robust(points0: DoubleArray, points1: DoubleArray, config: GeometryConfig) -> DoubleArray | None:
    H, _ = cv2.findHomography(
        points0,
        points1,
        cv2.USAC_PROSAC,
        ransacReprojThreshold=config.h_threshold_px,
        maxIters=config.max_iterations,
        confidence=config.confidence,
    )
    if H is None or H.shape != (3, 3) or not np.isfinite(H).all():
        return None
    return np.asarray(H, np.float64)


def _normalised(H: DoubleArray, points0: DoubleArray) -> DoubleArray | None:
    """H with H[2, 2] = 1, or None where it mirrors the plane, is singular or cannot be scaled so."""
    if abs(H[2, 2]) <= _MIN_H22 * np.abs(H).max():
        return None
    scaled: DoubleArray = H / H[2, 2]
    # The orientation at a point is that of det H / w^3: a camera never sees a plane mirrored.
    if not np.linalg.det(scaled) * _front(scaled, points0) > 0:
        return None
    return scaled


def _front(H: DoubleArray, points0: DoubleArray) -> float:
    """The sign of w on the side of the horizon where most points are."""
    w = points0 @ H[2, :2] + H[2, 2]
    return 1.0 if 2 * np.count_nonzero(w > 0) >= len(w) else -1.0


def _any_narrow(points0: DoubleArray, points1: DoubleArray, config: GeometryConfig) -> bool:
    return is_narrow(points0, config.h_threshold_px) or is_narrow(points1, config.h_threshold_px)


def is_narrow(points: DoubleArray, threshold_px: float) -> bool:
    """Whether points lie on a line, or in one place, to within their noise.

    Args:
        points: (N, 2), pixels.
        threshold_px: standard deviation across the line under which they are said to lie on it.
    """
    if len(points) < 3:
        return True
    centred = points - points.mean(axis=0)
    (xx, xy), (_, yy) = (centred.T @ centred / len(points)).tolist()
    smaller = 0.5 * (xx + yy - math.hypot(xx - yy, 2.0 * xy))  # eigenvalue of the covariance
    return bool(smaller < threshold_px**2)


def _clip(polygon: DoubleArray, side: DoubleArray) -> DoubleArray:
    """The part of a homogeneous polygon (N, 3) with side . p >= 0."""
    if not len(polygon):
        return polygon
    inside = polygon @ side
    kept: list[DoubleArray] = []
    for i in range(len(polygon)):
        a, b = polygon[i - 1], polygon[i]
        da, db = inside[i - 1], inside[i]
        if (da >= 0) != (db >= 0):
            kept.append(a + (b - a) * (da / (da - db)))
        if db >= 0:
            kept.append(b)
    return np.array(kept).reshape(-1, 3)


def _area(polygon: DoubleArray) -> float:
    """Area of a simple polygon (N, 2). Source: the shoelace formula."""
    x, y = polygon[:, 0], polygon[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
