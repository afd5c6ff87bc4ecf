# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A node in a process of its own, and a client here that feeds it and hears it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lightmatch_msgs.msg import Homography, Keyframe, MatchArray, MatcherStatus, RelativePose
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.simulation.sources import Frame

START_TIMEOUT_S = 120.0
RESEND_S = 15.0
QUEUE = QoSProfile(depth=100)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SIZE = (640, 480)
STEP_NS = 200_000_000  # between frames of the room: about 6 cm
# Reliable and one thread, for a test must not lose images or time on a loaded machine.
SMALL = {
    "matcher__max_keypoints": 512,
    "matcher__threads": 1,
    "status_period_s": 0.1,
    "reliability": "reliable",
}


class NodeProcess:
    """Runs a module with ROS parameters; its output can be waited for."""

    def __init__(
        self,
        module: str = "lightmatch_ros.ros.node",
        environment: dict[str, str] | None = None,
        namespace: str = "",
        **parameters: Any,
    ) -> None:
        words = [word for name, value in parameters.items() for word in ("-p", f"{name.replace('__', '.')}:={value}")]
        self.popen = subprocess.Popen(
            [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:=/{namespace}", *words],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str, timeout_s: float = START_TIMEOUT_S) -> str:
        """Returns the first line that holds a text; fails when the process ends or the time is over."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for line in self.lines:
                    if text in line:
                        return line
                ended = not self._reader.is_alive()
                remaining = deadline - time.monotonic()
                assert remaining > 0 and not ended, f"no {text!r} in:\n" + "\n".join(self.lines)
                self._changed.wait(min(remaining, 0.2))

    def interrupt(self, timeout_s: float = 10.0) -> tuple[int, float]:
        """Sends Ctrl-C's signal; returns the exit code and the time that it took, s."""
        started = time.monotonic()
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        code = self.wait(timeout_s)
        return code, time.monotonic() - started

    def wait(self, timeout_s: float = START_TIMEOUT_S) -> int:
        """Waits for the end; returns the exit code."""
        try:
            return self.popen.wait(timeout_s)
        finally:
            if self.popen.poll() is None:
                self.popen.kill()
                self.popen.wait()
            self._reader.join(5)

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout:
            for line in self.popen.stdout:
                with self._changed:
                    self.lines.append(line.rstrip())
                    self._changed.notify_all()


class Client(Node):
    """Publishes images of one camera and collects what the matcher says of them."""

    def __init__(self, camera: str = "camera", matcher: str = "lightmatch", namespace: str = "") -> None:
        super().__init__(f"client_{camera}", namespace=namespace)
        self.received: dict[str, list[Any]] = {}
        prefix = f"{matcher}/{camera}"
        self.image_publisher = self.create_publisher(Image, f"{camera}/image_raw", QUEUE)
        self.info_publisher = self.create_publisher(CameraInfo, f"{camera}/camera_info", LATCHED)
        self.depth_publisher = self.create_publisher(Image, f"{camera}/depth/image_raw", QUEUE)
        for kind, topic in (
            (MatchArray, f"{prefix}/matches"),
            (Homography, f"{prefix}/homography"),
            (RelativePose, f"{prefix}/relative_pose"),
            (Keyframe, f"{prefix}/keyframe"),
            (MatcherStatus, f"{matcher}/status"),
        ):
            self.listen(kind, topic)

    def listen(self, kind: type, topic: str, qos: QoSProfile = QUEUE) -> list[Any]:
        """Collects a topic under the last part of its name."""
        messages = self.received.setdefault(topic.rsplit("/", 1)[1], [])
        self.create_subscription(kind, topic, messages.append, qos)
        return messages

    def spin_until(self, condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "condition") -> None:
        """Handles messages until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {timeout_s} s; got " + str(
                {name: len(messages) for name, messages in self.received.items()}
            )
            rclpy.spin_once(self, timeout_sec=0.1)

    def wait_for_matcher(self) -> None:
        """Waits until the matcher has subscribed and its topics are heard here."""
        for publisher in (self.image_publisher, self.info_publisher):
            self.spin_until(publisher.get_subscription_count, what=f"subscriber to {publisher.topic_name}")
        outputs = [s.topic_name for s in self.subscriptions if "/status" not in s.topic_name]
        self.spin_until(lambda: all(map(self.count_publishers, outputs)), what="publishers of the answers")

    def send(self, pixels: np.ndarray, stamp_ns: int, info: CameraInfo | None = None, encoding: str = "") -> Image:
        """Publishes an image, its CameraInfo before it."""
        image = array_to_image(pixels, encoding or ("bgr8" if pixels.ndim == 3 else "mono8"))
        return self.send_message(image, stamp_ns, info)

    def send_message(self, image: Image, stamp_ns: int, info: CameraInfo | None = None) -> Image:
        """Publishes a message under a stamp."""
        image.header.frame_id = "camera_optical_frame"
        image.header.stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        if info is not None:
            info.header = image.header
            self.info_publisher.publish(info)
        self.image_publisher.publish(image)
        return image

    @property
    def answers(self) -> int:
        """Messages that show that a frame was processed: a pose, or a keyframe where it was the first."""
        return len(self.received["relative_pose"]) + len(self.received["keyframe"])

    def send_and_wait(self, pixels: np.ndarray, stamp_ns: int, info: CameraInfo | None = None) -> None:
        """Publishes an image and waits until it is matched or has become the first keyframe."""
        before = self.answers
        self.deliver(lambda: self.send(pixels, stamp_ns, info))
        self.spin_until(lambda: self.answers > before, what="answer")

    def send_until(
        self, condition: Callable[[], Any], pixels: np.ndarray, stamp_ns: int, info: CameraInfo | None = None
    ) -> None:
        """Publishes an image under growing stamps until a condition holds.

        A new calibration may come after the first image that it came with: topics know no order among them.
        """
        for k in range(10):
            self.send_and_wait(pixels, stamp_ns + k * STEP_NS, info)
            deadline = time.monotonic() + 0.5
            self.spin_until(lambda: condition() or time.monotonic() > deadline)
            if condition():
                return
        raise AssertionError("the condition did not come true in 10 images")

    @property
    def valid(self) -> bool:
        """The last pose is valid."""
        return bool(self.received["relative_pose"] and self.received["relative_pose"][-1].valid)

    def deliver(self, publish: Callable[[], Any]) -> None:
        """Publishes until the matcher's status counts an image more: images travel best effort and may be lost."""
        status = self.received["status"]
        self.spin_until(lambda: status, what="status")
        before = status[-1].received
        for _ in range(20):
            publish()
            attempt = time.monotonic() + RESEND_S
            self.spin_until(lambda: status[-1].received > before or time.monotonic() > attempt, what="status")
            if status[-1].received > before:
                return
        raise AssertionError("no image arrived at the matcher")

    def call(self, kind: type, name: str, request: Any, timeout_s: float = 60.0) -> Any:
        """Calls a service and returns the response."""
        client = self.create_client(kind, name)
        assert client.wait_for_service(timeout_s), f"no service {name}"
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self, future, timeout_sec=timeout_s)
        assert future.done(), f"no answer from {name}"
        self.destroy_client(client)
        return future.result()


def camera_info(K: np.ndarray, size: tuple[int, int], D: tuple[float, ...] = ()) -> CameraInfo:
    """A CameraInfo of a raw or ideal camera."""
    info = CameraInfo(width=size[0], height=size[1], distortion_model="plumb_bob", d=list(D) or [0.0] * 5)
    info.k = np.asarray(K, float).reshape(9)
    info.r = np.eye(3).reshape(9)
    info.p = np.hstack([K, np.zeros((3, 1))]).reshape(12)
    return info


@contextlib.contextmanager
def running(namespace: str, **parameters: Any) -> Iterator[tuple[NodeProcess, Client]]:
    """Runs a matcher and a client for it; it ends in time when interrupted."""
    process = NodeProcess(namespace=namespace, **parameters)
    client = Client(namespace=namespace)
    try:
        process.wait_for("active on camera")
        client.wait_for_matcher()
        yield process, client
        code, took_s = process.interrupt()
        said = "\n".join(process.lines[-20:])
        assert code == 0 and took_s < 2, f"exit status {code} after {took_s:.1f} s, it said:\n{said}"
    finally:
        process.interrupt()
        client.destroy_node()


def poses_of(client: Client, room: Sequence[Frame], info: CameraInfo) -> dict[int, RelativePose]:
    """The poses of the room by the stamps of their images, from a calibrated start."""
    received = client.received["relative_pose"]
    client.send_until(lambda: received and "calibrated" not in received[-1].reason, room[0].image, 1, info)
    client.call(Trigger, "lightmatch/reset", Trigger.Request())
    received.clear()
    for k, frame in enumerate(room):
        client.send_and_wait(frame.image, 10**10 + k * STEP_NS, info)
    return {pose.header.stamp.sec * 10**9 + pose.header.stamp.nanosec: pose for pose in received}
