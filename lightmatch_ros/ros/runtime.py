# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""All that exists between configure and cleanup: worker, mailbox, topics and services of the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lightmatch_msgs.msg import MatcherStatus
from lightmatch_msgs.srv import MatchImages
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.errors import InputError
from lightmatch_ros.ros import diagnostics, pair_service
from lightmatch_ros.ros.calibration import Calibration
from lightmatch_ros.ros.mailbox import Mailbox
from lightmatch_ros.ros.outputs import QUEUE, Outputs, incompatible_qos
from lightmatch_ros.ros.statistics import memory_mb
from lightmatch_ros.ros.transforms import Transforms
from lightmatch_ros.ros.worker import Worker

SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Runtime:
    """Built on the executor's thread; subscribes only between `subscribe` and `unsubscribe`.

    Args:
        node: to live on.
        config: settings.
        state: returns the lifecycle state's name.

    Raises:
        ConfigurationError: TF is wanted and tf2_ros is missing.
    """

    def __init__(self, node: Node, config: NodeConfig, state: Callable[[], str]) -> None:
        transforms = Transforms(node) if config.publish_tf else None
        self._node = node
        self._config = config
        self._state = state
        self._calibrations = {c: Calibration(config.rectified, config.camera_info_timeout_s) for c in config.cameras}
        self._mailbox = Mailbox(config.cameras, config.depth, lambda camera: not self._calibrations[camera].awaited)
        self._outputs = Outputs(node, config.cameras, transforms)
        self._subscribers: list[Any] = []
        self._unheard: set[str] = set()  # cameras whose latched CameraInfo may have to be asked for
        self._last_status: MatcherStatus | None = None
        self._status = node.create_publisher(MatcherStatus, "~/status", QUEUE)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", QUEUE)
        own = ReentrantCallbackGroup()  # a service that awaits the worker must not hold up the images
        self._reset = node.create_service(Trigger, "~/reset", self._on_reset, callback_group=own)
        self._match_images = node.create_service(
            MatchImages, "~/match_images", self._on_match_images, callback_group=own
        )
        self._timer = node.create_timer(config.status_period_s, self._on_timer)
        self.worker = Worker(
            config,
            self._mailbox,
            self._calibrations,
            self._outputs,
            now_ns=lambda: int(node.get_clock().now().nanoseconds),
            log=node.get_logger(),
            on_death=node.context.try_shutdown,
        )
        self.worker.start()

    def close(self, timeout_s: float) -> bool:
        """Ends the worker and takes topics and services away; returns whether the worker ended in time."""
        self.unsubscribe()
        ended = self.worker.stop(timeout_s)
        self._node.destroy_timer(self._timer)
        for service in (self._reset, self._match_images):
            self._node.destroy_service(service)
        for publisher in (self._status, self._diagnostics):
            self._node.destroy_publisher(publisher)
        self._outputs.close()
        return ended

    def subscribe(self) -> None:
        """Subscribes to all cameras."""
        self._unheard = {camera for camera in self._config.cameras if not self._calibrations[camera].known}
        for camera in self._config.cameras:
            self._subscribe_camera(camera)

    def unsubscribe(self) -> None:
        """Ends all subscriptions; keyframes stay."""
        for subscriber in self._subscribers:
            self._node.destroy_subscription(subscriber)
        self._subscribers.clear()
        self._unheard.clear()
        self._mailbox.clear()

    def _subscribe_camera(self, camera: str) -> None:
        image_topic, image_type = f"{camera}/image_raw", Image
        if self._config.transport == "compressed":
            image_topic, image_type = f"{camera}/image_raw/compressed", CompressedImage
        qos = SENSOR if self._config.reliability == "best_effort" else RELIABLE
        self._listen(image_type, image_topic, lambda message: self._mailbox.put_image(camera, message), qos)
        self._listen_to_info(camera, SENSOR)
        if self._config.depth:
            topic = f"{camera}/depth/image_raw"
            self._listen(Image, topic, lambda message: self._mailbox.put_depth(camera, message), qos)

    def _listen(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> None:
        events = SubscriptionEventCallbacks(incompatible_qos=incompatible_qos(self._node, topic, "publisher"))
        self._subscribers.append(self._node.create_subscription(kind, topic, callback, qos, event_callbacks=events))

    def _listen_to_info(self, camera: str, qos: QoSProfile) -> None:
        def store(message: CameraInfo) -> None:
            self._calibrations[camera].store(message)
            self._mailbox.look_again()

        self._listen(CameraInfo, f"{camera}/camera_info", store, qos)

    def _listen_to_latched(self) -> None:
        """Subscribes once more to a CameraInfo that has not come and whose publisher keeps it for late comers.

        Asking for that of every publisher would make most of them complain of an incompatible subscriber.
        """
        for camera in self._unheard & set(self._config.cameras):
            topic = f"{camera}/camera_info"
            profiles = [
                p.qos_profile for p in self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
            ]
            if any(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles):
                self._unheard.discard(camera)
                self._listen_to_info(camera, LATCHED)

    # Timers and services

    def _on_timer(self) -> None:
        self._listen_to_latched()
        self._publish_status()

    def _publish_status(self) -> None:
        worker, now = self.worker, self.worker.statistics.snapshot
        engine = diagnostics.Engine(self._state())
        if worker.matching is not None:
            device, runs = worker.matching.device, worker.matching.matcher.engine
            compiled = runs.name == "compiled"
            engine = diagnostics.Engine(self._state(), str(device), runs.precision.value, compiled, memory_mb(device))
        message = diagnostics.status(self._node.get_clock().now().to_msg(), engine, self._mailbox.counts, now)
        level, summary = diagnostics.diagnose(message, self._last_status, now.last_error)
        self._last_status = message
        self._status.publish(message)
        name = self._node.get_fully_qualified_name().strip("/")
        self._diagnostics.publish(diagnostics.diagnostics(name, message, level, summary))

    async def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        await self._on_worker(self.worker.reset)
        response.success = True
        response.message = f"keyframes of {len(self._config.cameras)} cameras forgotten"
        return response

    async def _on_match_images(
        self, request: MatchImages.Request, response: MatchImages.Response
    ) -> MatchImages.Response:
        try:
            await self._on_worker(lambda: self._match_pair(request, response))
            response.success = True
        except InputError as error:
            response.message = str(error)
        return response

    def _match_pair(self, request: MatchImages.Request, response: MatchImages.Response) -> None:
        assert self.worker.matching is not None  # jobs run after loading
        pair_service.match_images(self.worker.matching, self.worker.config, request, response)

    def _on_worker(self, function: Callable[[], None]) -> Future:
        """Runs a function on the worker's thread; the future carries an InputError of it."""
        executor = self._node.executor
        future = Future(executor=executor)

        def job() -> None:
            try:
                function()
                future.set_result(None)
            except InputError as error:
                future.set_exception(error)
            executor.wake()  # a future does not wake those who await it

        self._mailbox.put_job(job)
        return future
