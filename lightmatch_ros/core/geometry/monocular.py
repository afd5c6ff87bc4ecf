# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pose from matches alone: which model explains them, and what of the pose they determine."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.covariance import direction_std_deg, pose_covariance, without_translation
from lightmatch_ros.core.geometry.homography import is_narrow
from lightmatch_ros.core.geometry.least_squares import Fit
from lightmatch_ros.core.geometry.motion import Motion, rotation_vector, sight
from lightmatch_ros.core.geometry.planar import best_motion, motions_of_plane
from lightmatch_ros.core.geometry.relative_pose import (
    MIN_MATCHES,
    Rays,
    estimate_essential,
    fit_motion,
    fit_rotation,
    front_shares,
    motion_in_front,
)
from lightmatch_ros.core.geometry.results import PoseEstimate, PoseModel, Reason
from lightmatch_ros.core.geometry.selection import ratio_h, scores_essential, scores_homography
from lightmatch_ros.core.types import BoolArray, DoubleArray

# Measured on a hand-held sequence: under it, t was off by more than 30 degrees in two pairs of three.
_MIN_FRONT_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Plane:
    """A homography between the undistorted images.

    Attributes:
        H: (3, 3) float64, x1 ~ H x0 in normalised coordinates.
        inliers: (N,) bool.
    """

    H: DoubleArray
    inliers: BoolArray


def monocular_pose(rays: Rays, plane: Plane | None, config: GeometryConfig) -> PoseEstimate:
    """Estimates T_0_from_1 with a translation of unit length.

    Args:
        rays: matches, best first.
        plane: the homography between them, where there is one.
        config: thresholds.

    Returns:
        An estimate in the order of the rays.
    """
    if len(rays) < max(MIN_MATCHES, config.min_inliers):
        return PoseEstimate.failed(Reason.TOO_FEW_MATCHES, len(rays))
    essential = _essential_fit(rays, config)
    score_e = 0.0 if essential is None else _score_e(essential.motion, rays, config)
    score_h = 0.0 if plane is None else _score_h(plane.H, rays, config)
    ratio = ratio_h(score_h, score_e)
    if plane is not None and ratio > config.max_ratio_h:
        pose = _pose_of_homography(rays, plane, essential, score_e, config)
    elif essential is not None:
        pose = _pose_of_motion(essential, PoseModel.ESSENTIAL, rays, config)
    else:
        pose = PoseEstimate.failed(Reason.TOO_FEW_INLIERS, len(rays))
    if essential is not None and pose.num_inliers_e == 0:
        E = essential.motion.essential
        pose = dataclasses.replace(pose, E=E, inliers_e=essential.inliers)
    num_inliers_h = 0 if plane is None else int(np.count_nonzero(plane.inliers))
    return dataclasses.replace(pose, ratio_h=ratio, num_inliers_h=num_inliers_h)


def _essential_fit(rays: Rays, config: GeometryConfig) -> Fit | None:
    E = estimate_essential(rays, config)
    start = None if E is None else motion_in_front(E, rays, config.e_threshold_px)
    return None if start is None else fit_motion(start, rays, config.e_threshold_px)


def _pose_of_homography(
    rays: Rays, plane: Plane, essential: Fit | None, score_e: float, config: GeometryConfig
) -> PoseEstimate:
    """A rotation where it explains as much as the homography does, a plane otherwise."""
    needed = int(np.count_nonzero(plane.inliers)) // 2  # guess: with fewer it cannot explain as much
    turn = fit_rotation(plane.H, rays, config.h_threshold_px, needed)
    if ratio_h(_score_h(turn.motion.R.T, rays, config), score_e) > config.max_ratio_h:
        return _pose_of_rotation(turn, rays, config)
    motions = motions_of_plane(plane.H, rays.select(plane.inliers))
    best, rival = best_motion(motions, essential, rays, config.e_threshold_px, _sigma_px(config))
    if best is None:
        return PoseEstimate.failed(Reason.BEHIND_CAMERA, len(rays))
    pose = _pose_of_motion(best, PoseModel.HOMOGRAPHY, rays, config)
    return pose if rival is None else _undecided(pose, rival.motion)


def _undecided(pose: PoseEstimate, rival: Motion) -> PoseEstimate:
    """A pose with a rival as good: not valid; at low parallax both have about the same rotation."""
    if pose.reason is not Reason.LOW_PARALLAX:
        failed = PoseEstimate.failed(Reason.PLANAR_AMBIGUOUS, len(pose.inliers))
        return dataclasses.replace(failed, E=pose.E, inliers=pose.inliers, inliers_e=pose.inliers_e)
    apart = rotation_vector(rival.R @ pose.T_0_from_1[:3, :3].T)
    covariance = pose.covariance.copy()
    covariance[3:, 3:] += np.outer(apart, apart)
    return dataclasses.replace(pose, covariance=covariance)


def _pose_of_rotation(turn: Fit, rays: Rays, config: GeometryConfig) -> PoseEstimate:
    """Rotation known, translation not: said so, with a variance to match."""
    failed = PoseEstimate.failed(Reason.TOO_FEW_INLIERS, len(rays))
    if np.count_nonzero(turn.inliers) < config.min_inliers:
        return failed
    inside = rays.select(turn.inliers)
    covariance = pose_covariance(turn.here, turn.motion.t, turn.gate_px, metric=False)
    return dataclasses.replace(
        failed,
        rotation_valid=True,
        reason=Reason.PURE_ROTATION,
        model=PoseModel.HOMOGRAPHY,
        T_0_from_1=turn.motion.matrix,
        covariance=covariance,
        covariance_valid=bool(np.isfinite(covariance).all()),
        inliers=turn.inliers,
        median_parallax_deg=median_parallax_deg(turn.motion, inside),
        rms_px=turn.rms_px,
    )


def _pose_of_motion(fit: Fit, model: PoseModel, rays: Rays, config: GeometryConfig) -> PoseEstimate:
    """Rotation and direction of translation, as far as the inliers determine them."""
    motion = fit.motion
    inside = rays.select(fit.inliers)
    failed = dataclasses.replace(
        PoseEstimate.failed(_fault(fit, rays, config), len(rays)),
        E=motion.essential,
        inliers_e=fit.inliers,
        rms_px=fit.rms_px,
    )
    if failed.reason is not Reason.NONE:
        return failed
    covariance = pose_covariance(fit.here, motion.t, fit.gate_px, metric=False)
    parallax_deg = median_parallax_deg(motion, inside)
    observable = (
        front_shares(motion, rays.select(fit.errors < config.e_threshold_px), config.e_threshold_px)[0]
        >= _MIN_FRONT_SHARE
        and parallax_deg >= config.min_parallax_deg
        and direction_std_deg(covariance, motion.t) <= config.max_direction_std_deg
    )
    return dataclasses.replace(
        failed,
        valid=observable,
        rotation_valid=True,
        reason=Reason.NONE if observable else Reason.LOW_PARALLAX,
        model=model,
        T_0_from_1=motion.matrix if observable else Motion(motion.R, np.zeros(3)).matrix,
        covariance=covariance if observable else without_translation(covariance),
        covariance_valid=bool(np.isfinite(covariance).all()),
        inliers=fit.inliers,
        median_parallax_deg=parallax_deg,
    )


def _fault(fit: Fit, rays: Rays, config: GeometryConfig) -> Reason:
    """What rules a motion out, rotation and all; NONE where nothing does."""
    threshold = config.e_threshold_px
    if np.count_nonzero(fit.inliers) < max(MIN_MATCHES, config.min_inliers):
        return Reason.TOO_FEW_INLIERS
    inside = rays.select(fit.inliers)
    if is_narrow(inside.pixels0, threshold) or is_narrow(inside.pixels1, threshold):
        return Reason.DEGENERATE
    # A far point is in front with t or with -t; with the wrong rotation it is with neither.
    agreeing = rays.select(fit.errors < threshold)
    if sum(front_shares(fit.motion, agreeing, threshold)) < _MIN_FRONT_SHARE:
        return Reason.BEHIND_CAMERA
    return Reason.NONE


def median_parallax_deg(motion: Motion, rays: Rays) -> float:
    """Median of the angles between the rays of the matches, rotation taken out, degrees."""
    return math.degrees(float(np.median(sight(motion, rays.x0, rays.x1).parallax)))


def _sigma_px(config: GeometryConfig) -> float:
    """Keypoint noise that the scores assume; at the default threshold the one pixel of ORB-SLAM."""
    return config.e_threshold_px


def _score_e(motion: Motion, rays: Rays, config: GeometryConfig) -> float:
    return float(np.sum(scores_essential(motion.essential, rays, _sigma_px(config))))


def _score_h(H: DoubleArray, rays: Rays, config: GeometryConfig) -> float:
    return float(np.sum(scores_homography(H, rays, _sigma_px(config))))
