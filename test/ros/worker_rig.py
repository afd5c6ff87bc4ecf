# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A worker whose extractor and matcher take their steps when the test permits them."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.errors import DeviceMemoryError, ImageError
from lightmatch_ros.core.extraction import Extracted
from lightmatch_ros.core.frames import FrameResult, Timing
from lightmatch_ros.ros import worker as worker_module
from lightmatch_ros.ros.calibration import Calibration
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.ros.mailbox import Mailbox
from lightmatch_ros.ros.worker import Worker

LIMIT_S = 60.0
BAD = 250  # an image of this value cannot be extracted
FATAL = 251  # at this one the extractor dies
NO_MEMORY = 252  # this one cannot be matched


class Gate:
    """A step that the test sees begin and lets end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.begun: list[int] = []
        self._permitted = 0
        self._open = False

    def enter(self, value: int) -> None:
        with self._changed:
            self.begun.append(value)
            self._changed.notify_all()
            mine = len(self.begun)
            assert self._changed.wait_for(lambda: self._open or self._permitted >= mine, LIMIT_S)

    def permit(self) -> None:
        with self._changed:
            self._permitted += 1
            self._changed.notify_all()

    def open(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def wait_for(self, *values: int, timeout_s: float = LIMIT_S) -> bool:
        """Waits until exactly these have begun."""
        with self._changed:
            return self._changed.wait_for(lambda: self.begun == list(values), timeout_s)


class Rig:
    """A worker between a mailbox and a list, its extractor and matcher at gates."""

    def __init__(self, overlap: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.extracting, self.matching = Gate(), Gate()
        self.threads: dict[str, set[str]] = {"extract": set(), "match": set(), "job": set()}
        self.thresholds: list[float] = []
        self._changed = threading.Condition()
        self.published: list[tuple[str, int]] = []
        self.errors: list[str] = []
        self.begun: list[int] = []
        self.died = threading.Event()
        self.fatal: Exception | None = None
        config = schema.with_values(NodeConfig(), {"cameras": ("a", "b"), "matcher.overlap": overlap})
        monkeypatch.setattr(worker_module, "Matching", lambda config: self._networks())
        monkeypatch.setattr(worker_module, "CameraPipeline", self._pipeline)
        self.mailbox = Mailbox(config.cameras)
        self.worker = Worker(
            config,
            self.mailbox,
            {camera: Calibration(False, 0.0) for camera in config.cameras},
            SimpleNamespace(publish=self._publish),
            now_ns=lambda: 10**9,
            log=SimpleNamespace(info=lambda message: None, error=self._error, warning=self._error),
            on_death=self.died.set,
        )
        self.networks = None
        self.pipelines: list[SimpleNamespace] = []
        self.overlap = overlap == "always"

    def _networks(self) -> SimpleNamespace:
        engine = SimpleNamespace(name="fake", precision=SimpleNamespace(value="none"))
        self.networks = SimpleNamespace(
            overlap=self.overlap,
            device="cpu",
            matcher=SimpleNamespace(engine=engine, filter_threshold=0.0),
            warm_up=lambda: 0.0,
            extract_ahead=self._extract,
        )
        return self.networks

    def _pipeline(self, networks, keyframe, geometry) -> SimpleNamespace:
        pipeline = SimpleNamespace(matching=networks, match=self._match, begin=lambda e: e.pending, resets=0)
        pipeline.reset = lambda: setattr(pipeline, "resets", pipeline.resets + 1)
        self.pipelines.append(pipeline)
        return pipeline

    def _extract(self, image: np.ndarray) -> Extracted:
        value = int(image[0, 0])
        self.threads["extract"].add(threading.current_thread().name)
        self.extracting.enter(value)
        if value == BAD:
            raise ImageError("bad image")
        if value == FATAL:
            raise RuntimeError("the extractor is gone")
        return Extracted(value, None, 3.0)

    def _match(self, frame, extracted: Extracted, begun: int | None, meanwhile) -> FrameResult:
        assert int(frame.image[0, 0]) == extracted.pending
        self.threads["match"].add(threading.current_thread().name)
        self.thresholds.append(self.networks.matcher.filter_threshold)
        self.matching.enter(extracted.pending)
        if extracted.pending == NO_MEMORY:
            raise DeviceMemoryError("no memory")
        if self.fatal is not None:
            raise self.fatal
        assert begun in (None, extracted.pending)
        if begun is not None:
            self.begun.append(begun)
        meanwhile()
        return FrameResult(1, extracted.pending, None, None, Timing(extracted.extract_ms))

    def _publish(self, camera, header, frame, result) -> None:
        with self._changed:
            self.published.append((camera, result.features))
            self._changed.notify_all()

    def _error(self, message: str, **details: float) -> None:
        with self._changed:
            self.errors.append(message)
            self._changed.notify_all()

    def start(self) -> None:
        self.worker.start()
        assert self.worker.ready.wait(LIMIT_S) and self.worker.error is None

    def put(self, value: int, camera: str = "a") -> None:
        self.mailbox.put_image(camera, array_to_image(np.full((2, 2), value, np.uint8), "mono8"))

    def job(self, function=lambda: None) -> threading.Event:
        done = threading.Event()

        def run() -> None:
            self.threads["job"].add(threading.current_thread().name)
            function()
            done.set()

        self.mailbox.put_job(run)
        return done

    def settle(self, count: int) -> None:
        """Waits until so many images have been published or refused, and counted."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.published) + len(self.errors) == count, LIMIT_S)
        assert self.job().wait(LIMIT_S)
