# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Results of the core to lightmatch_msgs."""

from __future__ import annotations

import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseWithCovariance, PoseWithCovarianceStamped
from lightmatch_msgs.msg import Homography, Keyframe, MatchArray, RelativePose
from numpy.typing import NDArray
from std_msgs.msg import Header

from lightmatch_ros.core.frames import FrameResult, Insertion, Pairing
from lightmatch_ros.core.geometry import HomographyEstimate, PoseEstimate
from lightmatch_ros.core.rotation import quaternion_from_matrix
from lightmatch_ros.core.tracks import Tracks
from lightmatch_ros.core.types import Matches

UNKNOWN = float("nan")


@dataclass(frozen=True)
class Ends:
    """Which two images a message speaks of.

    Attributes:
        header: of image 1, the current one.
        reference_header: of image 0.
        camera: of image 1; "" for a pair that came by service.
        reference_camera: of image 0.
        frame_id: of image 1; 0 for a pair that came by service.
        reference_frame_id: of image 0.
        pair_type: a constant of MatchArray.
    """

    header: Header = field(default_factory=Header)
    reference_header: Header = field(default_factory=Header)
    camera: str = ""
    reference_camera: str = ""
    frame_id: int = 0
    reference_frame_id: int = 0
    pair_type: int = MatchArray.KEYFRAME


def keyframe_ends(camera: str, header: Header, frame_id: int, pairing: Pairing) -> Ends:
    """The ends of a frame matched with a keyframe of its camera."""
    keyframe = pairing.keyframe
    reference_header = Header(stamp=stamp_from_ns(keyframe.stamp_ns), frame_id=keyframe.frame)
    return Ends(header, reference_header, camera, camera, frame_id, keyframe.frame_id)


def stamp_from_ns(nanoseconds: int) -> Time:
    """Time message from nanoseconds."""
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def match_array(
    ends: Ends,
    matches: Matches,
    inliers: NDArray[np.uint8],
    sizes: tuple[tuple[int, int], tuple[int, int]],
    features: str,
    tracks: Tracks | None,
) -> MatchArray:
    """Builds the message.

    Args:
        ends: which images.
        matches: K of them.
        inliers: (K,) bits as in the message.
        sizes: (width, height) of image 0 and of image 1.
        features: name of the local features.
        tracks: of the matches; None for a pair that came by service.
    """
    message = _with_ends(MatchArray(), ends)
    (message.reference_width, message.reference_height), (message.width, message.height) = sizes
    message.features = features
    message.num_keypoints = matches.num_keypoints1
    message.reference_num_keypoints = matches.num_keypoints0
    message.points0 = flat("f", matches.points0, np.float32)
    message.points1 = flat("f", matches.points1, np.float32)
    message.scores = flat("f", matches.scores, np.float32)
    message.indices0 = flat("I", matches.indices0, np.uint32)
    message.indices1 = flat("I", matches.indices1, np.uint32)
    if tracks is not None:
        message.track_ids = flat("Q", tracks.ids, np.uint64)
        message.track_ages = flat("H", tracks.ages, np.uint16)
    message.inliers = flat("B", inliers, np.uint8)
    message.stop_layer = matches.stop_layer
    message.kept_ratio = matches.kept_ratio
    return message


def homography(ends: Ends, estimate: HomographyEstimate, num_matches: int) -> Homography:
    """Builds the message; what is not known is NaN."""
    message = _with_ends(Homography(), ends)
    message.valid = estimate.valid
    message.reason = "" if estimate.valid else estimate.reason.value
    message.h = _matrix(estimate.H if estimate.valid else None)
    message.num_inliers = int(estimate.inliers.sum())
    message.num_matches = num_matches
    message.rms_px = estimate.rms_px if estimate.valid else UNKNOWN
    message.overlap = estimate.overlap if estimate.valid else UNKNOWN
    return message


def relative_pose(ends: Ends, estimate: PoseEstimate, num_matches: int) -> RelativePose:
    """Builds the message; what is not known is NaN. After a pure rotation the orientation is known, the rest not."""
    message = _with_ends(RelativePose(), ends)
    message.valid = estimate.valid
    message.reason = "" if estimate.valid else estimate.reason.value
    message.metric = estimate.metric
    message.model = estimate.model.value
    message.pose = _pose_with_covariance(estimate)
    message.covariance_valid = estimate.covariance_valid
    message.essential = _matrix(estimate.E)
    message.num_matches = num_matches
    message.inliers_e = estimate.num_inliers_e
    message.inliers_h = estimate.num_inliers_h
    message.ratio_h = estimate.ratio_h
    message.median_parallax_deg = estimate.median_parallax_deg
    message.rms_px = estimate.rms_px
    return message


def pose_stamped(message: RelativePose) -> PoseWithCovarianceStamped:
    """The same pose for tools that know only this: in the keyframe's optical frame, at the current stamp."""
    header = Header(stamp=message.header.stamp, frame_id=message.reference_header.frame_id)
    return PoseWithCovarianceStamped(header=header, pose=message.pose)


def keyframe(camera: str, header: Header, result: FrameResult, insertion: Insertion) -> Keyframe:
    """Builds the message that says that a frame became a keyframe."""
    return Keyframe(
        header=header,
        camera=camera,
        frame_id=result.frame_id,
        reason=insertion.reason.value,
        cache_count=insertion.cache_count,
        cache_bytes=insertion.cache_bytes,
        evicted_ids=list(insertion.evicted),
    )


def flat(typecode: str, values: NDArray[Any], dtype: Any) -> array.array[Any]:
    """The values in order as an array.array, which rclpy takes without looking at each."""
    out = array.array(typecode)
    out.frombytes(memoryview(np.ascontiguousarray(values, dtype).reshape(-1)).cast("B"))
    return out


def _with_ends(message: Any, ends: Ends) -> Any:
    for name, value in vars(ends).items():
        setattr(message, name, value)
    return message


def _matrix(matrix: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return np.full(9, UNKNOWN) if matrix is None else np.asarray(matrix, np.float64).reshape(9)


def _pose_with_covariance(estimate: PoseEstimate) -> PoseWithCovariance:
    pose = Pose()
    position, orientation = np.full(3, UNKNOWN), np.full(4, UNKNOWN)
    if estimate.rotation_valid:
        orientation = quaternion_from_matrix(estimate.T_0_from_1[:3, :3])
    if estimate.valid:
        position = estimate.T_0_from_1[:3, 3]
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    q = pose.orientation
    q.x, q.y, q.z, q.w = map(float, orientation)
    covariance = estimate.covariance.reshape(36) if estimate.covariance_valid else np.zeros(36)
    return PoseWithCovariance(pose=pose, covariance=covariance)
