# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the matcher: it loads, warms up, takes messages from the mailbox, processes and publishes.

With overlap a second thread takes the messages, decodes and extracts, one frame ahead of the first, and the match of a
frame that is ready begins before the geometry of the one before it: a device works on it in the meantime.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.device import limit_threads
from lightmatch_ros.core.errors import InputError
from lightmatch_ros.core.extraction import Extracted
from lightmatch_ros.core.frames import Frame, FrameResult
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import Begun, CameraPipeline
from lightmatch_ros.core.prefetch import Prefetch
from lightmatch_ros.ros.calibration import Calibration
from lightmatch_ros.ros.image_conversions import depth_to_array, image_to_array
from lightmatch_ros.ros.mailbox import Letter, Mailbox, stamp_ns
from lightmatch_ros.ros.statistics import Statistics

POLL_S = 0.5
THROTTLE_S = 2.0

T = TypeVar("T")


class Log(Protocol):
    """What the worker needs of rclpy's logger."""

    def info(self, message: str) -> object: ...  # noqa: D102

    def error(self, message: str, *, throttle_duration_sec: float = 0.0) -> object: ...  # noqa: D102

    def warning(self, message: str, *, throttle_duration_sec: float = 0.0) -> object: ...  # noqa: D102


class Sink(Protocol):
    """Where results go."""

    def publish(self, camera: str, header: Any, frame: Frame, result: FrameResult) -> None:
        """Publishes what one frame gave."""


Job = Callable[[], None]


@dataclass(eq=False)
class Work:
    """A frame that is ready to be matched.

    Attributes:
        letter: that it came in.
        frame: decoded.
        extracted: its features.
        waited_ms: from the image's arrival until it was taken.
        decode_ms: wall time of the decoding.
        ready: time.monotonic() of the end of the extraction, s.
        begun: its match, where that has begun before its turn.
    """

    letter: Letter
    frame: Frame
    extracted: Extracted
    waited_ms: float
    decode_ms: float
    ready: float
    begun: Begun | None = None


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
        self._ahead: Prefetch[Job | Work] | None = None
        self._thread = threading.Thread(target=self._run, name="lightmatch-worker", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Asks the threads to end; returns whether they did in time."""
        deadline = time.monotonic() + timeout_s
        self._mailbox.close()
        if self._ahead is not None:
            self._ahead.close()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        return self._ahead is None or self._ahead.join(deadline - time.monotonic())

    def reset(self) -> None:
        """Forgets all keyframes. To be called on the worker's thread."""
        for pipeline in self._pipelines.values():
            pipeline.reset()

    def _run(self) -> None:
        try:
            self._load()
            self.ready.set()
            for task in self._tasks() if self._ahead is None else self._ahead:
                if isinstance(task, Work):
                    self._guarded(task.letter.camera, partial(self._finish, task))
                else:
                    task()
        except Exception as error:  # the thread's last word: nobody above could catch it
            self.error = error
            if self.ready.is_set():
                self._log.error(f"worker ended: {type(error).__name__}: {error}")
                self._on_death()
            self.ready.set()
        finally:
            if self._ahead is not None:
                self._ahead.close()

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
            + (", extracts ahead" if self.matching.overlap else "")
        )
        if self.matching.overlap:
            self._ahead = Prefetch(self._tasks(), "lightmatch-extraction")

    def _tasks(self) -> Iterator[Job | Work]:
        """Yields what is to be done on the worker's thread, in order: jobs, and frames whose features are there."""
        limit_threads(self.config.matcher.threads)  # torch counts them for each thread that calls it
        while (letter := self._mailbox.take(POLL_S)) is not None:
            if letter.job is not None:
                yield letter.job
            elif letter.image is not None:
                work = self._guarded(letter.camera, partial(self._extract, letter))
                if work is not None:
                    yield work

    def _guarded(self, camera: str, function: Callable[[], T]) -> T | None:
        """Runs a function; an input that it cannot use is counted and logged."""
        try:
            return function()
        except InputError as error:
            self.statistics.failure(str(error))
            self._log.error(f"{camera}: {error}", throttle_duration_sec=THROTTLE_S)
            return None

    def _extract(self, letter: Letter) -> Work:
        assert self.matching is not None  # messages are taken after loading
        taken = time.monotonic()
        frame = self._frame(letter)
        decoded = time.monotonic()
        extracted = self.matching.extract_ahead(frame.image)
        return Work(letter, frame, extracted, (taken - letter.arrived) * 1e3, (decoded - taken) * 1e3, time.monotonic())

    def _finish(self, work: Work) -> None:
        letter, frame = work.letter, work.frame
        begun = time.monotonic()
        pipeline = self._live_pipeline(letter.camera)
        result = pipeline.match(frame, work.extracted, work.begun, self._begin_next)
        processed = time.monotonic()
        self._sink.publish(letter.camera, letter.image.header, frame, result)
        published = time.monotonic()
        pairing, timing = result.pairing, result.timing
        self.statistics.frame(
            queue_ms=work.waited_ms + (begun - work.ready) * 1e3,
            extract_ms=work.decode_ms + timing.extract_ms,
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

    def _begin_next(self) -> None:
        """Begins the match of the frame whose features wait, if there is one."""
        following = None if self._ahead is None else self._ahead.peek()
        if isinstance(following, Work):
            following.begun = self._live_pipeline(following.letter.camera).begin(following.extracted)

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
