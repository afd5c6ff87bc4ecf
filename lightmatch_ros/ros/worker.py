# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The one thread that owns torch: it loads, warms up, takes messages from the mailbox, processes and publishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.errors import InputError
from lightmatch_ros.core.pipeline import CameraPipeline, Frame, FrameResult, Matching
from lightmatch_ros.ros.calibration import Calibration
from lightmatch_ros.ros.image_conversions import depth_to_array, image_to_array
from lightmatch_ros.ros.mailbox import Letter, Mailbox, stamp_ns
from lightmatch_ros.ros.statistics import Statistics

POLL_S = 0.5
THROTTLE_S = 2.0


class Log(Protocol):
    """What the worker needs of rclpy's logger."""

    def info(self, message: str) -> object: ...  # noqa: D102

    def error(self, message: str, *, throttle_duration_sec: float = 0.0) -> object: ...  # noqa: D102

    def warning(self, message: str, *, throttle_duration_sec: float = 0.0) -> object: ...  # noqa: D102


class Sink(Protocol):
    """Where results go."""

    def publish(self, camera: str, header: Any, frame: Frame, result: FrameResult) -> None:
        """Publishes what one frame gave."""


class Worker:
    """Started once. `ready` is set when it can take frames or has failed to start; `error` says which.

    Args:
        config: live values may be replaced through the attribute `config` at any time.
        mailbox: to take from.
        calibrations: by camera.
        sink: publishes, on the worker's thread.
        now_ns: the node's clock.
        log: rclpy's logger.
        on_death: called on the worker's thread when it ends by an error that is not ours to handle.
    """

    def __init__(
        self,
        config: NodeConfig,
        mailbox: Mailbox,
        calibrations: Mapping[str, Calibration],
        sink: Sink,
        now_ns: Callable[[], int],
        log: Log,
        on_death: Callable[[], None],
    ) -> None:
        self.config = config
        self.ready = threading.Event()
        self.error: Exception | None = None
        self.statistics = Statistics()
        self.matching: Matching | None = None
        self._mailbox = mailbox
        self._calibrations = calibrations
        self._sink = sink
        self._now_ns = now_ns
        self._log = log
        self._on_death = on_death
        self._pipelines: dict[str, CameraPipeline] = {}
        self._thread = threading.Thread(target=self._run, name="lightmatch-worker", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Asks the thread to end; returns whether it did in time."""
        self._mailbox.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def reset(self) -> None:
        """Forgets all keyframes. To be called on the worker's thread."""
        for pipeline in self._pipelines.values():
            pipeline.reset()

    def _run(self) -> None:
        try:
            self._load()
            self.ready.set()
            while (letter := self._mailbox.take(POLL_S)) is not None:
                self._handle(letter)
        except Exception as error:  # the thread's last word: nobody above could catch it
            self.error = error
            if self.ready.is_set():
                self._log.error(f"worker ended: {type(error).__name__}: {error}")
                self._on_death()
            self.ready.set()

    def _load(self) -> None:
        config = self.config
        started = time.perf_counter()
        self._log.info(f"loading {config.matcher.features} and its LightGlue")
        self.matching = Matching(config.matcher)
        self._pipelines = {
            camera: CameraPipeline(self.matching, config.keyframe, config.geometry) for camera in config.cameras
        }
        loaded = time.perf_counter()
        warm_up_s = self.matching.warm_up()
        self._log.info(
            f"{config.matcher.features} + LightGlue on {self.matching.device}, "
            f"{self.matching.matcher.engine.name}, {self.matching.matcher.engine.precision.value}: "
            f"loaded in {loaded - started:.1f} s, warmed up in {warm_up_s:.1f} s"
        )

    def _handle(self, letter: Letter) -> None:
        if letter.job is not None:
            letter.job()
        elif letter.image is not None:
            try:
                self._process(letter)
            except InputError as error:
                self.statistics.failure(str(error))
                self._log.error(f"{letter.camera}: {error}", throttle_duration_sec=THROTTLE_S)

    def _process(self, letter: Letter) -> None:
        taken = time.monotonic()
        frame = self._frame(letter)
        pipeline = self._live_pipeline(letter.camera)
        decoded = time.monotonic()
        result = pipeline.process(frame)
        processed = time.monotonic()
        self._sink.publish(letter.camera, letter.image.header, frame, result)
        published = time.monotonic()
        pairing, timing = result.pairing, result.timing
        self.statistics.frame(
            queue_ms=(taken - letter.arrived) * 1e3,
            extract_ms=timing.extract_ms + (decoded - taken) * 1e3,
            match_ms=timing.match_ms,
            geometry_ms=timing.geometry_ms,
            publish_ms=(published - processed) * 1e3,
            total_ms=(published - letter.arrived) * 1e3,
            age_ms=(self._now_ns() - frame.stamp_ns) * 1e-6,
            matches=len(pairing.matches) if pairing else 0,
            inliers=int(pairing.two_view.selected.sum()) if pairing else 0,
            stop_layer=pairing.matches.stop_layer if pairing else 0,
            kept_ratio=pairing.matches.kept_ratio if pairing else 0.0,
        )

    def _live_pipeline(self, camera: str) -> CameraPipeline:
        """The camera's pipeline with the settings of this moment."""
        pipeline, config = self._pipelines[camera], self.config
        pipeline.keyframe, pipeline.geometry = config.keyframe, config.geometry
        pipeline.matching.matcher.filter_threshold = config.matcher.filter_threshold
        return pipeline

    def _frame(self, letter: Letter) -> Frame:
        """Decodes the messages; a bad calibration or depth image is counted, the image still serves."""
        image = image_to_array(letter.image)
        header = letter.image.header
        camera = depth = None
        try:
            camera = self._calibrations[letter.camera].model((image.shape[1], image.shape[0]))
            depth = self._depth(letter, image.shape[:2])
        except InputError as error:
            self.statistics.failure(str(error))
            self._log.error(f"{letter.camera}: {error}", throttle_duration_sec=THROTTLE_S)
        return Frame(stamp_ns(letter.image), header.frame_id, image, camera, depth)

    def _depth(self, letter: Letter, size: tuple[int, ...]) -> Any:
        if letter.depth is None:
            return None
        depth = depth_to_array(letter.depth)
        if depth.shape != size:
            raise InputError(f"depth image of {depth.shape[::-1]} pixels, wanted {size[::-1]}: registered to the image")
        return depth
