# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The node `virtual_camera`: a camera driver without a camera, for the demo and the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.exceptions import InvalidTopicNameException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from rclpy.validate_topic_name import validate_topic_name
from sensor_msgs.msg import CameraInfo, Image

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.errors import ConfigurationError, LightmatchError
from lightmatch_ros.core.rotation import quaternion_from_matrix
from lightmatch_ros.core.schema import parameter
from lightmatch_ros.ros import params
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.simulation.sensor import Sensor
from lightmatch_ros.simulation.sources import Frame, FrameSource, open_source
from lightmatch_ros.simulation.trajectory import Motion

NAME = "virtual_camera"
WORLD = "world"
NEWEST = QoSProfile(depth=1)  # reliable, so that subscribers of either kind match
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ACKNOWLEDGE_S = 1.0
EXIT_NOBODY, EXIT_CONFIGURATION = 1, 2

Output = tuple[Publisher, Any]


@dataclass(frozen=True)
class VirtualCameraConfig:
    """Parameters of the node."""

    camera: str = parameter("camera", "Prefix of the topics.")
    source: str = parameter(
        "room", "Where frames come from: room, a folder of images (a pattern may follow), or a video file."
    )
    calib: str = parameter("", "Calibration file: camera_info YAML, or text with 3 x 3 numbers; empty for none.")
    rate_hz: float = parameter(30.0, "Frames for a second.", minimum=0.01, maximum=1000.0)
    width: int = parameter(640, "Width of the room's images, pixels.", minimum=16, maximum=8192)
    height: int = parameter(480, "Height of the room's images, pixels.", minimum=16, maximum=8192)
    seed: int = parameter(0, "Of the room, of the way through it and of the noise.", minimum=0, maximum=2**31 - 1)
    loop: bool = parameter(True, "Begin again at the end of the source.")
    depth: bool = parameter(True, "Publish depth where the source has it.")
    noise_std: float = parameter(0.0, "Noise of the images, grey levels.", minimum=0.0, maximum=50.0)
    exposure_drift: float = parameter(
        0.0, "The brightness swings by this part of itself, up and down.", minimum=0.0, maximum=0.9
    )
    frame_count: int = parameter(0, "End after so many frames; 0 is never.", minimum=0)
    frame_id: str = parameter("camera_optical_frame", "Frame of the images.")
    wait_for_subscribers: int = parameter(
        0, "Begin when so many subscribers of image_raw are there.", minimum=0, maximum=1000
    )
    wait_timeout_s: float = parameter(30.0, "How long to wait for subscribers, seconds.", minimum=0.1, maximum=3600.0)


class VirtualCamera(Node):
    """Publishes the frames of a source at a rate.

    A frame's messages are made ready before its time has come, so that stamp and publication coincide; where that
    takes longer than the period, frames come later, none is skipped and none queues up. The room's time goes by
    frames: its motion is as fast as its twist says where the rate is kept.

    Attributes:
        done: gets a result when the last frame was published, or the error that ended the node.

    Raises:
        LightmatchError: a parameter, source or calibration that the node cannot start with.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, automatically_declare_parameters_from_overrides=True, **options)
        self.config = params.declare(self, VirtualCameraConfig())
        self.done = Future()  # type: ignore[var-annotated, unused-ignore]
        self._source = _open(self.config)
        self._sensor = Sensor(self._source.size, self.config.noise_std, self.config.exposure_drift, self.config.seed)
        self._info = camera_info(self._source.calibration, self._source.size)
        self._ready = (self._messages(frame) for frame in _frames(self._source, self.config))
        self._next: list[Output] | None = None
        self._published = 0
        self._clockwork: Any = None
        self._advertise()
        self._wait()

    def _advertise(self) -> None:
        camera = self.config.camera
        try:
            validate_topic_name(camera)
        except InvalidTopicNameException as error:
            raise ConfigurationError(f"camera: got {camera!r}, wanted what a topic's name may begin with") from error
        matched = PublisherEventCallbacks(matched=self._on_matched)
        self._images = self.create_publisher(Image, f"{camera}/image_raw", NEWEST, event_callbacks=matched)
        self._infos = self.create_publisher(CameraInfo, f"{camera}/camera_info", LATCHED)
        self._depths = self.create_publisher(Image, f"{camera}/depth/image_raw", NEWEST)
        self._truths = self.create_publisher(Odometry, f"{camera}/ground_truth", NEWEST)

    def _wait(self) -> None:
        """Starts at once, or leaves it to `_on_matched` and sets it a limit."""
        if self.config.wait_for_subscribers == 0:
            self._start()
            return
        self.get_logger().info(f"waiting for {self.config.wait_for_subscribers} subscriber(s) of image_raw")
        self._limit = self.create_timer(self.config.wait_timeout_s, self._on_limit)

    def _on_matched(self, event: Any) -> None:
        if self._clockwork is None and event.current_count >= self.config.wait_for_subscribers > 0:
            self._limit.cancel()
            self._start()

    def _on_limit(self) -> None:
        self._limit.cancel()
        seen, wanted = self._images.get_subscription_count(), self.config.wait_for_subscribers
        text = f"subscribers of image_raw: got {seen} within {self.config.wait_timeout_s:g} s, wanted {wanted}"
        self.done.set_exception(TimeoutError(text))

    def _start(self) -> None:
        self._next = next(self._ready)  # a source has at least one frame
        width, height = self._source.size
        self.get_logger().info(f"{self.config.source}: {width}x{height} at {self.config.rate_hz:g} Hz")
        self._clockwork = self.create_timer(1 / self.config.rate_hz, self._on_time)

    def _on_time(self) -> None:
        """Publishes the frame at hand and makes the next one ready."""
        if self._next is None:
            return
        stamp = self.get_clock().now().to_msg()
        for publisher, message in self._next:
            message.header.stamp = stamp
            publisher.publish(message)
        self._published += 1
        self._next = next(self._ready, None)
        if self._next is None:
            self._clockwork.cancel()
            self._finish()

    def _finish(self) -> None:
        for publisher in (self._infos, self._depths, self._truths, self._images):
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self.get_logger().info(f"published {self._published} frames")
        self.done.set_result(None)

    def _messages(self, frame: Frame) -> list[Output]:
        """The messages of a frame, without stamp; the image comes last, when all about it is out."""
        messages: list[Output] = [(self._infos, self._info)]
        if frame.motion is not None:
            messages.append((self._truths, odometry(frame.motion, self.config.frame_id)))
        if frame.depth is not None and self.config.depth:
            messages.append((self._depths, array_to_image(frame.depth, "32FC1")))
        image = self._sensor.expose(frame.image, frame.stamp_s)
        messages.append((self._images, array_to_image(image, "bgr8")))
        for publisher, message in messages:
            message.header.frame_id = WORLD if publisher is self._truths else self.config.frame_id
        return messages


def camera_info(camera: CameraModel | None, size: tuple[int, int]) -> CameraInfo:
    """Builds the message, without header; all matrices are zero where the camera is uncalibrated (REP 104).

    Convention: the image is not rectified; R is the identity and P is K, so that a rectified image would have the
    same intrinsics.
    """
    message = CameraInfo(width=size[0], height=size[1])
    if camera is None:
        return message
    plain = camera.D.size == 0
    message.distortion_model = "plumb_bob" if plain else camera.model.value
    message.d = [0.0] * 5 if plain else camera.D.tolist()
    message.k = camera.K.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.column_stack([camera.K, np.zeros(3)]).ravel()
    return message


def odometry(motion: Motion, frame_id: str) -> Odometry:
    """Builds the message, without header: the pose of the optical frame in the world, its twist in itself."""
    message = Odometry(child_frame_id=frame_id)
    pose, twist = message.pose.pose, message.twist.twist
    T = motion.T_world_from_camera
    pose.position.x, pose.position.y, pose.position.z = T[:3, 3].tolist()
    q = pose.orientation
    q.x, q.y, q.z, q.w = quaternion_from_matrix(T[:3, :3]).tolist()
    twist.linear.x, twist.linear.y, twist.linear.z = motion.linear_m_s.tolist()
    twist.angular.x, twist.angular.y, twist.angular.z = motion.angular_rad_s.tolist()
    return message


def _open(config: VirtualCameraConfig) -> FrameSource:
    calibration = Path(config.calib).expanduser() if config.calib else None
    return open_source(config.source, calibration, (config.width, config.height), config.rate_hz, config.seed)


def _frames(source: FrameSource, config: VirtualCameraConfig) -> Iterator[Frame]:
    """The frames to publish: looped and counted as configured."""

    def endless() -> Iterator[Frame]:
        yield from source
        while config.loop:
            yield from source

    return islice(endless(), config.frame_count or None)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node; returns the exit code.

    Returns:
        0 after Ctrl-C or the last frame, 1 where nobody subscribed in time, 2 for what it cannot start with or read.
    """
    node = None
    try:
        _initialise(args)
        node = VirtualCamera()
        return _spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except (LightmatchError, TimeoutError) as error:
        rclpy.logging.get_logger(NAME).fatal(str(error))
        return EXIT_NOBODY if isinstance(error, TimeoutError) else EXIT_CONFIGURATION
    except RuntimeError:  # rcl's own; what a signal during the start ends in
        if rclpy.ok():
            raise
        return 0
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _initialise(args: Sequence[str] | None) -> None:
    try:
        rclpy.init(args=args)
    except RuntimeError as error:  # the base of rcl's errors, whose names are private
        raise ConfigurationError(f"arguments: {error}") from error


def _spin(node: VirtualCamera) -> int:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin_until_future_complete(node.done)
    if node.done.done():
        node.done.result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
