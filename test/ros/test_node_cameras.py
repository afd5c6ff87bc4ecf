# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Several cameras, compressed images, depth, and the lifecycle driven from outside."""

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from node_harness import SMALL, STEP_NS, Client, NodeProcess
from sensor_msgs.msg import CompressedImage

from lightmatch_ros.core.metrics import relative
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.ros.watcher import matrix_of

pytestmark = pytest.mark.dds


class Manager:
    """Drives a node's lifecycle by its services."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def state(self) -> str:
        return str(self._client.call(GetState, "lightmatch/get_state", GetState.Request()).current_state.label)

    def change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self._client.call(ChangeState, "lightmatch/change_state", request, 120).success)


def test_two_compressed_cameras_and_the_lifecycle(ros_context, room, info):
    settings = {"cameras": "[left,right]", "transport": "compressed", "autostart": "false", **SMALL}
    process = NodeProcess(namespace="two", **settings)
    clients = {name: Client(name, namespace="two") for name in ("left", "right")}
    topics = {
        name: client.create_publisher(CompressedImage, f"{name}/image_raw/compressed", 10)
        for name, client in clients.items()
    }
    manager = Manager(clients["left"])
    try:
        assert manager.state == "unconfigured"
        assert manager.change(Transition.TRANSITION_CONFIGURE)
        assert manager.state == "inactive"
        assert manager.change(Transition.TRANSITION_ACTIVATE)
        for name, client in clients.items():
            client.spin_until(topics[name].get_subscription_count)
            client.spin_until(client.info_publisher.get_subscription_count)
        for k, frame in enumerate((room[0], room[3], room[6])):
            for name, client in clients.items():
                before = client.answers
                info.header.stamp.sec = k + 1
                client.info_publisher.publish(info)
                jpeg = cv2.imencode(".jpg", frame.image)[1].tobytes()
                picture = CompressedImage(header=info.header, format="jpeg", data=jpeg)
                client.deliver(lambda: topics[name].publish(picture))
                client.spin_until(lambda: client.answers > before, what=f"answer of {name}")
        for name, client in clients.items():
            assert [pose.valid for pose in client.received["relative_pose"]] == [True, True]
            assert {message.camera for message in client.received["matches"]} == {name}
        assert manager.change(Transition.TRANSITION_DEACTIVATE)
        assert manager.change(Transition.TRANSITION_CLEANUP)
        assert manager.state == "unconfigured"
        assert manager.change(Transition.TRANSITION_CONFIGURE)
    finally:
        code, took_s = process.interrupt()
        for client in clients.values():
            client.destroy_node()
    assert code == 0
    assert took_s < 2


def test_depth_gives_metres(ros_context, room, info):
    process = NodeProcess(namespace="metric", depth="true", **SMALL)
    client = Client(namespace="metric")
    try:
        process.wait_for("active on camera")
        client.wait_for_matcher()
        client.spin_until(client.depth_publisher.get_subscription_count)
        for k in (0, 2, 3):
            before = client.answers
            depth = array_to_image(room[k].depth, "32FC1")

            def publish() -> None:
                image = client.send(room[k].image, (k + 1) * STEP_NS, info)
                depth.header = image.header
                client.depth_publisher.publish(depth)

            client.deliver(publish)
            client.spin_until(lambda: client.answers > before, what="answer")
        poses = client.received["relative_pose"]
        for pose, k in zip(poses, (2, 3)):
            stamp = pose.reference_header.stamp
            reference = (stamp.sec * 10**9 + stamp.nanosec) // STEP_NS - 1
            true = relative(*(room[i].motion.T_world_from_camera for i in (reference, k)))
            assert pose.valid
            assert pose.metric
            np.testing.assert_allclose(matrix_of(pose.pose.pose)[:3, 3], true[:3, 3], atol=0.02)
    finally:
        process.interrupt()
        client.destroy_node()
