# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The publishers of the node and what goes out for one frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from lightmatch_msgs.msg import Homography, Keyframe, MatchArray, RelativePose
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSPolicyKind, QoSProfile
from sensor_msgs.msg import Image

from lightmatch_ros.core.frames import Frame, FrameResult, Pairing
from lightmatch_ros.ros import conversions
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.viz.matches import draw_matches

QUEUE = QoSProfile(depth=10)  # reliable, volatile
TOPICS: dict[str, type] = {
    "matches": MatchArray,
    "homography": Homography,
    "relative_pose": RelativePose,
    "pose": PoseWithCovarianceStamped,
    "keyframe": Keyframe,
    "match_image": Image,
}


def incompatible_qos(node: Node, topic: str, peer: str) -> Any:
    """Returns a callback that logs as an error that a peer on a topic cannot be talked to, and why."""

    def callback(event: Any) -> None:
        policy = QoSPolicyKind(event.last_policy_kind).name.lower()
        node.get_logger().error(f"{topic}: a {peer} has incompatible QoS ({policy}); no messages go between us")

    return callback


class Outputs:
    """Publishes on `~/<camera>/<topic>`, on the worker's thread. Times and ids come from the images.

    Args:
        node: to publish from.
        cameras: their names.
        transforms: broadcasts TF as well; None for no TF.
    """

    def __init__(self, node: Node, cameras: Sequence[str], transforms: Any = None) -> None:
        self._transforms = transforms
        self._publishers = {camera: self._create(node, camera) for camera in cameras}
        self._node = node

    def close(self) -> None:
        """Takes the publishers away."""
        for publishers in self._publishers.values():
            for publisher in publishers.values():
                self._node.destroy_publisher(publisher)

    def publish(self, camera: str, header: Any, frame: Frame, result: FrameResult) -> None:
        """Publishes what one frame gave."""
        publishers = self._publishers[camera]
        if result.pairing is not None:
            self._publish_pairing(camera, header, frame, result, result.pairing)
        if result.insertion is not None:
            publishers["keyframe"].publish(conversions.keyframe(camera, header, result, result.insertion))

    def _publish_pairing(self, camera: str, header: Any, frame: Frame, result: FrameResult, pairing: Pairing) -> None:
        publishers = self._publishers[camera]
        ends = conversions.keyframe_ends(camera, header, result.frame_id, pairing)
        matches, two_view, count = pairing.matches, pairing.two_view, len(pairing.matches)
        sizes = pairing.keyframe.features.image_size, result.features.image_size
        publishers["matches"].publish(
            conversions.match_array(ends, matches, two_view.inliers, sizes, result.features.name, pairing.tracks)
        )
        publishers["homography"].publish(conversions.homography(ends, two_view.homography, count))
        pose = conversions.relative_pose(ends, two_view.pose, count)
        publishers["relative_pose"].publish(pose)
        if pose.valid:
            publishers["pose"].publish(conversions.pose_stamped(pose))
            if self._transforms is not None:
                self._transforms.send(pose)
        if publishers["match_image"].get_subscription_count():
            publishers["match_image"].publish(_match_image(header, frame, pairing))

    def _create(self, node: Node, camera: str) -> dict[str, Publisher]:
        publishers = {}
        for name, kind in TOPICS.items():
            topic = f"~/{camera.strip('/')}/{name}"
            events = PublisherEventCallbacks(incompatible_qos=incompatible_qos(node, topic, "subscriber"))
            publishers[name] = node.create_publisher(kind, topic, QUEUE, event_callbacks=events)
        return publishers


def _match_image(header: Any, frame: Frame, pairing: Pairing) -> Image:
    matches, two_view = pairing.matches, pairing.two_view
    inliers = two_view.selected
    pose = two_view.pose
    text = [
        f"{len(matches)} matches, {int(inliers.sum())} inliers, {matches.stop_layer} layers",
        f"pose {pose.model.name.lower()}" if pose.valid else pose.reason.value,
    ]
    picture = draw_matches(pairing.keyframe.image, frame.image, matches.points0, matches.points1, inliers, text)
    message = array_to_image(picture, "bgr8")
    message.header = header
    return message
