# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A node that watches the matcher's topics from outside and compares the poses with ground truth."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose
from lightmatch_msgs.msg import Homography, Keyframe, MatchArray, RelativePose
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from lightmatch_ros.core.metrics import direction_error_deg, relative, rotation_error_deg
from lightmatch_ros.core.rotation import matrix_from_quaternion
from lightmatch_ros.core.types import DoubleArray
from lightmatch_ros.ros.mailbox import stamp_ns

QUEUE = QoSProfile(depth=50)
TRUTH_KEPT = 20000  # ground-truth poses kept, 11 minutes at 30 Hz; guess: longer than any keyframe serves


@dataclass(frozen=True, eq=False)
class Row:
    """What the topics said of one frame.

    Attributes:
        frame_id, reference_frame_id: of the frame and its keyframe.
        num_matches, num_inliers: of the selected model.
        stop_layer: layers that ran.
        valid, reason: of the pose.
        homography_valid: of the homography.
        T_0_from_1: (4, 4) estimated; NaN where not known.
        T_0_from_1_true: (4, 4), None without ground truth.
        latency_ms: from the image's stamp to the arrival of its pose here, by this node's clock.
    """

    frame_id: int
    reference_frame_id: int
    num_matches: int
    num_inliers: int
    stop_layer: int
    valid: bool
    reason: str
    homography_valid: bool
    T_0_from_1: DoubleArray
    T_0_from_1_true: DoubleArray | None
    latency_ms: float

    @property
    def rotation_error_deg(self) -> float:
        """Angle to the true rotation, degrees; NaN where one is not known."""
        if self.T_0_from_1_true is None:
            return math.nan
        return rotation_error_deg(self.T_0_from_1, self.T_0_from_1_true)

    @property
    def direction_error_deg(self) -> float:
        """Angle to the true translation, degrees; NaN where one is not known or too short."""
        if self.T_0_from_1_true is None or not self.valid:
            return math.nan
        return direction_error_deg(self.T_0_from_1, self.T_0_from_1_true)


class Watcher(Node):
    """Collects the rows of one camera.

    Args:
        camera: its name.
        matcher: name of the matcher's node.
    """

    def __init__(self, camera: str = "camera", matcher: str = "lightmatch") -> None:
        super().__init__("lightmatch_watcher")
        self.rows: list[Row] = []
        self.keyframes: list[Keyframe] = []
        self.match_image: Any = None
        self._truth: OrderedDict[int, DoubleArray] = OrderedDict()
        self._matches: dict[int, MatchArray] = {}
        self._homographies: dict[int, Homography] = {}
        prefix = f"{matcher}/{camera}"
        for kind, topic, callback in (
            (MatchArray, f"{prefix}/matches", self._on_matches),
            (Homography, f"{prefix}/homography", self._on_homography),
            (RelativePose, f"{prefix}/relative_pose", self._on_pose),
            (Keyframe, f"{prefix}/keyframe", self.keyframes.append),
            (Image, f"{prefix}/match_image", self._on_match_image),
            (Odometry, f"{camera}/ground_truth", self._on_truth),
        ):
            self.create_subscription(kind, topic, callback, QUEUE)

    def _on_truth(self, message: Odometry) -> None:
        self._truth[stamp_ns(message)] = matrix_of(message.pose.pose)
        while len(self._truth) > TRUTH_KEPT:
            self._truth.popitem(last=False)

    def _on_matches(self, message: MatchArray) -> None:
        self._matches = {message.frame_id: message}

    def _on_homography(self, message: Homography) -> None:
        self._homographies = {message.frame_id: message}

    def _on_match_image(self, message: Image) -> None:
        self.match_image = message

    def _on_pose(self, message: RelativePose) -> None:
        """The pose comes last of a frame's three messages."""
        now_ns = self.get_clock().now().nanoseconds
        matches = self._matches.pop(message.frame_id, None) or MatchArray()
        homography = self._homographies.pop(message.frame_id, None) or Homography()
        inliers = np.frombuffer(matches.inliers, np.uint8) & MatchArray.INLIER_SELECTED
        self.rows.append(
            Row(
                frame_id=message.frame_id,
                reference_frame_id=message.reference_frame_id,
                num_matches=message.num_matches,
                num_inliers=int(inliers.sum()),
                stop_layer=matches.stop_layer,
                valid=message.valid,
                reason=message.reason,
                homography_valid=homography.valid,
                T_0_from_1=matrix_of(message.pose.pose),
                T_0_from_1_true=self._true_pose(message),
                latency_ms=(now_ns - stamp_ns(message)) * 1e-6,
            )
        )

    def _true_pose(self, message: RelativePose) -> DoubleArray | None:
        stamp = message.reference_header.stamp
        T_world_from_0 = self._truth.get(stamp.sec * 1_000_000_000 + stamp.nanosec)
        T_world_from_1 = self._truth.get(stamp_ns(message))
        if T_world_from_0 is None or T_world_from_1 is None:
            return None
        return relative(T_world_from_0, T_world_from_1)


def matrix_of(pose: Pose) -> NDArray[np.float64]:
    """A pose message as a (4, 4) matrix; NaN where it has NaN."""
    p, q = pose.position, pose.orientation
    T = np.eye(4)
    T[:3, :3] = matrix_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    T[:3, 3] = p.x, p.y, p.z
    return T
