# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The one way in: matches and cameras to a homography and a relative pose."""

from __future__ import annotations

import dataclasses

import numpy as np

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry.homography import Size, estimate_homography
from lightmatch_ros.core.geometry.metric import check_depth, depth_at, metric_pose
from lightmatch_ros.core.geometry.monocular import Plane, monocular_pose
from lightmatch_ros.core.geometry.motion import homogeneous
from lightmatch_ros.core.geometry.relative_pose import Rays
from lightmatch_ros.core.geometry.results import HomographyEstimate, PoseEstimate, Reason, TwoView
from lightmatch_ros.core.types import BoolArray, ByteArray, DoubleArray, FloatArray, Matches

SELECTED, ESSENTIAL, HOMOGRAPHY = 1, 2, 4  # bits of TwoView.inliers


def estimate_two_view(
    matches: Matches,
    camera0: CameraModel | None,
    camera1: CameraModel | None,
    config: GeometryConfig,
    *,
    depth0: FloatArray | None = None,
    size0: Size | None = None,
    size1: Size | None = None,
) -> TwoView:
    """Estimates homography and relative pose. The same input gives the same output.

    Convention: image 0 = keyframe, image 1 = current frame; x1 ~ H x0 in pixels of the images as they
    came in; the pose is T_0_from_1 in optical frames of REP 103, |t| = 1 without depth, metres with.

    Args:
        matches: pixels of the images as they came in.
        camera0: of the keyframe; None = uncalibrated, the pose is then not valid.
        camera1: of the current frame; the same.
        config: thresholds.
        depth0: (H, W) float32, metres along the optical axis, registered to the keyframe's image: the
            same pixels; 0 or NaN = none.
        size0: (width, height) of the keyframe; that of camera0 where None. Serves the overlap alone.
        size1: (width, height) of the current frame; the same.

    Raises:
        CalibrationError: depth0 has another size than camera0.
    """
    order = np.argsort(-matches.scores, kind="stable")  # PROSAC draws the best first
    points0 = matches.points0[order].astype(np.float64)
    points1 = matches.points1[order].astype(np.float64)
    size0, size1 = _size(size0, camera0), _size(size1, camera1)
    homography = estimate_homography(points0, points1, config, size0, size1)
    if camera0 is None or camera1 is None:
        pose = PoseEstimate.failed(Reason.UNCALIBRATED, len(order))
    else:
        pose = _calibrated(points0, points1, camera0, camera1, homography, config, depth0)
    place = np.argsort(order, kind="stable")  # back to the order of the matches
    homography = dataclasses.replace(homography, inliers=homography.inliers[place])
    pose = dataclasses.replace(pose, inliers=pose.inliers[place], inliers_e=pose.inliers_e[place])
    return TwoView(homography, pose, _bits(pose, homography))


def _calibrated(
    points0: DoubleArray,
    points1: DoubleArray,
    camera0: CameraModel,
    camera1: CameraModel,
    homography: HomographyEstimate,
    config: GeometryConfig,
    depth0: FloatArray | None,
) -> PoseEstimate:
    """The pose in the order of the points; a point without a ray takes no part."""
    if depth0 is not None:
        check_depth(depth0, camera0.width, camera0.height)
    x0, x1 = camera0.normalize(points0), camera1.normalize(points1)
    usable = np.asarray(np.isfinite(np.hstack((x0, x1))).all(axis=1), np.bool_)
    focals = camera0.focal, camera1.focal
    rays = Rays(homogeneous(x0[usable]), homogeneous(x1[usable]), *focals)
    plane = _plane(rays, usable, camera0, camera1, homography, config)
    pose = monocular_pose(rays, plane, config)
    if depth0 is not None:
        pose = metric_pose(pose, rays, depth_at(depth0, points0[usable]), config)
    return dataclasses.replace(pose, inliers=_scatter(pose.inliers, usable), inliers_e=_scatter(pose.inliers_e, usable))


def _plane(
    rays: Rays,
    usable: BoolArray,
    camera0: CameraModel,
    camera1: CameraModel,
    homography: HomographyEstimate,
    config: GeometryConfig,
) -> Plane | None:
    """The homography between the rays: that of the pixels unless a lens bends them."""
    if camera0.D.any() or camera1.D.any():
        straight = estimate_homography(rays.pixels0, rays.pixels1, config)
        K0, K1 = np.diag([rays.focal0, rays.focal0, 1.0]), np.diag([rays.focal1, rays.focal1, 1.0])
        inliers = straight.inliers
    else:
        straight, K0, K1 = homography, camera0.K, camera1.K
        inliers = homography.inliers[usable]
    return Plane(np.linalg.inv(K1) @ straight.H @ K0, inliers) if straight.valid else None


def _size(size: Size | None, camera: CameraModel | None) -> Size | None:
    return size if size is not None or camera is None else (camera.width, camera.height)


def _scatter(mask: BoolArray, where: BoolArray) -> BoolArray:
    full = np.zeros(len(where), np.bool_)
    full[where] = mask
    return full


def _bits(pose: PoseEstimate, homography: HomographyEstimate) -> ByteArray:
    """The homography stands in as the selected model where there is no pose, so that matches still track."""
    selected = pose.inliers if pose.inliers.any() else homography.inliers
    bits: ByteArray = np.zeros(len(selected), np.uint8)
    for bit, mask in ((SELECTED, selected), (ESSENTIAL, pose.inliers_e), (HOMOGRAPHY, homography.inliers)):
        bits[mask] |= bit
    return bits
