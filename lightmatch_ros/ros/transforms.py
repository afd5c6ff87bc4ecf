# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""TF of the relative pose, off by default: `<frame>_keyframe` -> `<frame>_matched`.

The two frames stand apart from the robot's own tree, where the optical frame has its parent already.
"""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from lightmatch_ros.core.errors import ConfigurationError


class Transforms:
    """Broadcasts valid relative poses.

    Raises:
        ConfigurationError: tf2_ros is not installed; it comes with a ROS distribution.
    """

    def __init__(self, node: Node) -> None:
        try:
            from tf2_ros import TransformBroadcaster
        except ImportError as error:
            raise ConfigurationError("publish_tf: wanted tf2_ros, which comes with a ROS distribution") from error
        self._broadcaster = TransformBroadcaster(node)

    def send(self, pose: Any) -> None:
        """Broadcasts a lightmatch_msgs/RelativePose that is valid."""
        transform = TransformStamped()
        transform.header.stamp = pose.header.stamp
        transform.header.frame_id = f"{pose.reference_header.frame_id}_keyframe"
        transform.child_frame_id = f"{pose.header.frame_id}_matched"
        position = pose.pose.pose.position
        translation = transform.transform.translation
        translation.x, translation.y, translation.z = position.x, position.y, position.z
        transform.transform.rotation = pose.pose.pose.orientation
        self._broadcaster.sendTransform(transform)
