# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Between the executor and the worker: one slot for each camera, the newest image wins, the rest is counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

NANOSECONDS = 1e-9
DEPTH_QUEUE = 8  # depth images that wait for their image; guess: two pipelines of four frames
DEPTH_WAIT_S = 0.1  # an image goes on without depth after this; guess: three frames at 30 Hz
LONGEST_WAIT_S = 0.1  # whether a camera has become ready by the passing of time is asked this often
DEPTH_SLACK_S = 0.005  # stamps of one exposure differ by less; guess


@dataclass(frozen=True)
class Letter:
    """What the worker takes: an image message, its depth message where one is wanted and came, a job, or neither.

    Attributes:
        camera: the image's camera, "" for a job.
        image: sensor_msgs/Image or CompressedImage.
        depth: sensor_msgs/Image or None.
        arrived: time.monotonic() of the image's arrival, s.
        job: to be run by the worker.
    """

    camera: str = ""
    image: Any = None
    depth: Any = None
    arrived: float = 0.0
    job: Callable[[], None] | None = None


@dataclass
class _Slot:
    image: Any = None
    arrived: float = 0.0
    depths: deque[Any] = field(default_factory=lambda: deque(maxlen=DEPTH_QUEUE))
    received: int = 0
    dropped: int = 0


class Mailbox:
    """Thread-safe. Many may put, one worker takes.

    Args:
        cameras: their names; served in turn.
        depth: images wait a little for the depth image of their stamp.
        ready: tells whether a camera's images may be taken yet; asked while one waits.
    """

    def __init__(
        self, cameras: Sequence[str], depth: bool = False, ready: Callable[[str], bool] = lambda camera: True
    ) -> None:
        self._depth = depth
        self._camera_ready = ready
        self._slots = {camera: _Slot() for camera in cameras}
        self._turn = deque(cameras)
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put_image(self, camera: str, image: Any) -> None:
        """Stores an image; one that still waits there is dropped and counted."""
        with self._changed:
            slot = self._slots[camera]
            slot.received += 1
            slot.dropped += slot.image is not None
            slot.image, slot.arrived = image, time.monotonic()
            self._changed.notify()

    def put_depth(self, camera: str, depth: Any) -> None:
        """Stores a depth image until the image of its stamp comes."""
        with self._changed:
            self._slots[camera].depths.append(depth)
            self._changed.notify()

    def put_job(self, job: Callable[[], None]) -> None:
        """Asks the worker to run something; jobs go before images."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def look_again(self) -> None:
        """Tells that a camera may have become ready."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Lets `take` return None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Throws away what waits, without counting it."""
        with self._changed:
            for slot in self._slots.values():
                slot.image = None
                slot.depths.clear()

    @property
    def counts(self) -> tuple[int, int]:
        """Images received and dropped so far, all cameras."""
        with self._changed:
            slots = self._slots.values()
            return sum(s.received for s in slots), sum(s.dropped for s in slots)

    def take(self, timeout_s: float) -> Letter | None:
        """Waits for something to do; None when closed, an empty letter when the time is over."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                letter, wait_s = self._ready()
                remaining = deadline - time.monotonic()
                if letter is not None:
                    return letter
                if remaining <= 0:
                    return Letter()
                self._changed.wait(min(remaining, wait_s))
        return None

    def _ready(self) -> tuple[Letter | None, float]:
        """The next letter, or how long at most until an image has waited long enough for what it lacks, s."""
        if self._jobs:
            return Letter(job=self._jobs.popleft()), 0.0
        wait_s = LONGEST_WAIT_S
        for _ in self._slots:
            camera = self._turn[0]
            self._turn.rotate(-1)
            slot = self._slots[camera]
            if slot.image is None or not self._camera_ready(camera):
                continue
            depth = _depth_of(slot.image, slot.depths) if self._depth else None
            waited = time.monotonic() - slot.arrived
            if self._depth and depth is None and waited < DEPTH_WAIT_S:
                wait_s = min(wait_s, DEPTH_WAIT_S - waited)
                continue
            letter = Letter(camera, slot.image, depth, slot.arrived)
            slot.image = None
            return letter, 0.0
        return None, wait_s


def stamp_ns(message: Any) -> int:
    """Stamp of a message with a header, ns."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _depth_of(image: Any, depths: Sequence[Any]) -> Any:
    """The depth image of an image's stamp, None if it has not come."""
    nearest = min(depths, key=lambda depth: abs(stamp_ns(depth) - stamp_ns(image)), default=None)
    if nearest is None or abs(stamp_ns(nearest) - stamp_ns(image)) * NANOSECONDS > DEPTH_SLACK_S:
        return None
    return nearest
