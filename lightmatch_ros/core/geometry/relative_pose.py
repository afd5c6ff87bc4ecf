# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Motion between two calibrated views from matches alone: essential matrix, rotation, plane."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.error_models import ReprojectionError, SampsonError
from lightmatch_ros.core.geometry.least_squares import Fit, assess, refine
from lightmatch_ros.core.geometry.motion import (
    Motion,
    nearest_rotation,
    sight,
)
from lightmatch_ros.core.types import BoolArray, DoubleArray

MIN_MATCHES = 5  # of the five-point algorithm
_MIN_MATCHES_ROTATION = 2
_WIDE = 3.0  # times the threshold: what a homography's rotation may be off before it is refined; guess


@dataclass(frozen=True, eq=False)
class Rays:
    """Matches as rays, best first.

    Convention: homogeneous normalised coordinates (x/z, y/z, 1), optical frame of REP 103; distortion
    taken out.

    Attributes:
        x0: (N, 3) float64, keyframe.
        x1: (N, 3) float64, current frame.
        focal0: pixels for one unit of x0, so that thresholds mean pixels.
        focal1: pixels for one unit of x1.
    """

    x0: DoubleArray
    x1: DoubleArray
    focal0: float
    focal1: float

    def __len__(self) -> int:
        return len(self.x0)

    @property
    def pixels0(self) -> DoubleArray:
        """(N, 2) float64: the keyframe's points as a camera without distortion has them, centre (0, 0)."""
        return self.x0[:, :2] * self.focal0

    @property
    def pixels1(self) -> DoubleArray:
        """(N, 2) float64: the same of the current frame."""
        return self.x1[:, :2] * self.focal1

    @property
    def sampson(self) -> SampsonError:
        """Their error under a motion."""
        return SampsonError(self.x0, self.x1, self.focal0, self.focal1)

    @property
    def turning(self) -> ReprojectionError:
        """Their error in the current frame under a rotation alone."""
        return ReprojectionError(self.x0, self.x1, self.focal1, rotation_only=True)

    def select(self, mask: BoolArray) -> Rays:
        """Fewer of them."""
        return Rays(self.x0[mask], self.x1[mask], self.focal0, self.focal1)


def estimate_essential(rays: Rays, config: GeometryConfig) -> DoubleArray | None:
    """Robust essential matrix, x1^T E x0 = 0.

    Returns:
        (3, 3) float64, or None where the matches give none.

    Source: five-point algorithm (Nister 2004) in OpenCV's USAC with PROSAC sampling (Chum and Matas
        2005), MSAC score and local optimisation. Measured: as accurate as MAGSAC after refinement,
        and half its time.
    """
    if len(rays) < MIN_MATCHES:
        return None
    parameters = cv2.UsacParams()
    parameters.sampler = cv2.SAMPLING_PROSAC
    parameters.score = cv2.SCORE_METHOD_MSAC
    parameters.loMethod = cv2.LOCAL_OPTIM_INNER_LO
    parameters.threshold = config.e_threshold_px
    parameters.confidence = config.confidence
    parameters.maxIterations = config.max_iterations
    parameters.isParallel = False  # threads would make the answer depend on their timing
    K0, K1 = np.diag([rays.focal0, rays.focal0, 1.0]), np.diag([rays.focal1, rays.focal1, 1.0])
    E, _ = cv2.findEssentialMat(rays.pixels0, rays.pixels1, K0, K1, None, None, parameters)
    if E is None or E.shape != (3, 3) or not np.isfinite(E).all():
        return None
    return np.asarray(E, np.float64)


def motions_of_essential(E: DoubleArray) -> list[Motion]:
    """The two motions T_0_from_1 that have this essential matrix, |t| = 1; each also with -t.

    Source: Hartley and Zisserman 2004, result 9.19.
    """
    R_a, R_b, t = cv2.decomposeEssentialMat(E)
    return [Motion(R, t.ravel()).inverse for R in (R_a, R_b)]


def motion_in_front(E: DoubleArray, rays: Rays, threshold_px: float) -> Motion | None:
    """Of the four motions of an essential matrix, the one with the points in front of both cameras.

    The rotation is settled first, by both signs of t together: points too far for a parallax are in
    front with either sign at random, but never with the other rotation. Then the sign of t.

    Returns:
        None where no match agrees with E.
    """
    motions = motions_of_essential(E)
    inliers = np.abs(rays.sampson.residuals(motions[0])) < threshold_px
    if not inliers.any():
        return None
    shares = [front_shares(motion, rays.select(inliers), threshold_px) for motion in motions]
    motion, (ahead, astern) = max(zip(motions, shares, strict=True), key=lambda pair: sum(pair[1]))
    return motion if ahead >= astern else Motion(motion.R, -motion.t)


def front_shares(motion: Motion, rays: Rays, threshold_px: float) -> tuple[float, float]:
    """Part of the matches that a motion puts in front of both cameras, 0 to 1, weighted.

    A match weighs by its squared parallax up to that of noise, and no more than one beyond: the sign
    of a depth that is within the noise says nothing.

    Returns:
        With the translation as it is, and with the opposite one.
    """
    seen = sight(motion, rays.x0, rays.x1)
    weights = np.minimum(seen.parallax / _noise(rays, threshold_px), 1.0) ** 2 + 1e-12
    total = float(np.sum(weights))
    return float(weights @ seen.ahead) / total, float(weights @ seen.astern) / total


def clearly_behind(motion: Motion, rays: Rays, threshold_px: float) -> BoolArray:
    """Matches whose point is behind a camera by more than noise explains, (N,) bool."""
    seen = sight(motion, rays.x0, rays.x1)
    return (seen.parallax > _noise(rays, threshold_px)) & ~seen.ahead


def _noise(rays: Rays, threshold_px: float) -> float:
    """Parallax, radians, that two points each displaced by the threshold can show."""
    return 2.0 * threshold_px / min(rays.focal0, rays.focal1)


def fit_motion(motion: Motion, rays: Rays, threshold_px: float) -> Fit:
    """Refines rotation and direction of translation by the Sampson error of the inliers.

    A match whose point is clearly behind a camera is no inlier: half of the outliers that lie on their
    epipolar line by chance are told by it.
    """
    return refine(rays.sampson, motion, threshold_px, lambda m: clearly_behind(m, rays, threshold_px))


def fit_rotation(H: DoubleArray, rays: Rays, threshold_px: float, needed: int) -> Fit:
    """Fits a rotation without translation.

    Args:
        H: (3, 3), x1 ~ H x0 in normalised coordinates, as a start.
        rays: the matches.
        threshold_px: of the reprojection error in the current frame.
        needed: matches; with fewer that are roughly right at the start it is not refined.

    Returns:
        A motion with t = 0; errors are reprojection errors in the current frame.

    Source: with no translation H = R_1_from_0 up to scale; then Kabsch 1976 on the rays, and least
        squares on the pixels.
    """
    error = rays.turning
    sign = 1.0 if np.linalg.det(H) > 0 else -1.0
    start = Motion(nearest_rotation(sign * H).T, np.zeros(3))
    near = assess(error, start, _WIDE * threshold_px)
    if np.count_nonzero(near.inliers) < max(needed, _MIN_MATCHES_ROTATION):
        return near
    a, b = _unit(rays.x0[near.inliers]), _unit(rays.x1[near.inliers])
    return refine(error, Motion(nearest_rotation(a.T @ b), np.zeros(3)), threshold_px)


def _unit(vectors: DoubleArray) -> DoubleArray:
    unit: DoubleArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
