# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue on CUDA: captured programs for buckets of point counts, depth and width decided on the device.

Not yet measured on a GPU. On a CPU the same programs run uncaptured, which is what the tests compare with the
reference network.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch

from lightmatch_ros.core.engine.cuda.buckets import Buckets, Launch, plan
from lightmatch_ros.core.engine.cuda.errors import device_errors
from lightmatch_ros.core.engine.cuda.factory import Factory
from lightmatch_ros.core.engine.cuda.runners import Collect, CudaPrepared, MatchRunner, PrepareRunner
from lightmatch_ros.core.engine.cuda.schemes import Clock, Scheme, schemes
from lightmatch_ros.core.engine.interface import Precision, Prepared, own
from lightmatch_ros.core.engine.random_points import random_points
from lightmatch_ros.core.errors import DeviceMemoryError
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points
from lightmatch_ros.core.lightglue.adaptive import FULL
from lightmatch_ros.core.lightglue.network import check_adaptivity, no_matches

log = logging.getLogger(__name__)

# Answers under way at once: as many as a program has slots.
MAX_PENDING = 2

# Capacities above the last bucket are multiples of this.
LARGE_STEP = 1024


class CudaEngine:
    """Runs LightGlue on a CUDA device (or, uncaptured, on a CPU). Not thread-safe; runs on the current stream.

    A match waits once, for the copy of its answer; with `Scheme.AHEAD` the host also reads each layer's decisions while
    the next layer runs. Answers are on the CPU. A pair above the last bucket runs the same programs uncaptured, which
    costs their launches; attention and assignment go by blocks there too, so that memory grows with the points and not
    with their square. A bucket that `warm_up` was not told of is captured when it is first needed.

    Args:
        network: loaded weights, on the device.
        precision: of the products with weights and in the attention; states, decisions and assignment are float32.
        buckets: capacities to capture.
        batches: pairs to capture for, ascending; other numbers are put together from these.
        scheme: None = the best that can run on the device.
        clock: chooses the fused kernels' tiles by measurement, where they are captured; None = not measured.
    """

    name = "compiled"

    def __init__(
        self,
        network: LightGlue,
        precision: Precision,
        buckets: Buckets | None = None,
        batches: Sequence[int] = (1, 2, 4),
        scheme: Scheme | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.precision = precision
        self._network = network
        self._device = next(network.parameters()).device
        self._buckets = buckets or Buckets()
        self._max_keypoints: int | None = None
        self._batches = tuple(batches)
        with device_errors("loading the weights"):
            self._factory = Factory(network, precision, scheme or schemes(self._device)[0], clock)
        self._matchers: dict[tuple[int, int], MatchRunner] = {}
        self._preparers: dict[int, PrepareRunner] = {}

    @property
    def compilations(self) -> int:
        """Captures so far."""
        return self._factory.captures

    @property
    def max_keypoints(self) -> int | None:
        """See `Engine.max_keypoints`: known where memory ran out in `warm_up`."""
        return self._max_keypoints

    @torch.inference_mode()
    def prepare(self, images: Sequence[Points]) -> list[Prepared]:
        """See `Engine.prepare`: input projection, positional encoding and the first self-attention.

        Raises:
            DeviceMemoryError: no memory; fewer points may do.
            DeviceLostError: the device no longer answers.
        """
        with self._on_device("preparing an image"):
            return [self._prepare(points) for points in images]

    @torch.inference_mode()
    def match(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> list[NetworkOutput]:
        """See `Engine.match`.

        Raises:
            DeviceMemoryError: no memory; fewer points may do.
            DeviceLostError: the device no longer answers.
        """
        check_adaptivity(adaptivity, self._network.architecture)
        mine = [(own(CudaPrepared, image0), own(CudaPrepared, image1)) for image0, image1 in pairs]
        with self._on_device("matching"):
            return self._match(mine, adaptivity, filter_threshold)

    def start(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> Callable[[], list[NetworkOutput]]:
        """See `Engine.start`: one pair of a captured bucket is under way on the device when this returns.

        Raises:
            DeviceMemoryError: no memory; fewer points may do.
            DeviceLostError: the device no longer answers.
        """
        mine = [(own(CudaPrepared, image0), own(CudaPrepared, image1)) for image0, image1 in pairs]
        todo = plan([(len(image0), len(image1)) for image0, image1 in mine], self._buckets, self._batches)
        if len(mine) != 1 or not todo.launches:
            return functools.partial(self.match, pairs, adaptivity, filter_threshold)
        check_adaptivity(adaptivity, self._network.architecture)
        with torch.inference_mode(), self._on_device("matching"):
            collect = self._matcher(todo.launches[0]).start(mine, adaptivity, filter_threshold)

        def wait() -> list[NetworkOutput]:
            with torch.inference_mode(), self._on_device("matching"):
                return collect()

        return wait

    @torch.inference_mode()
    def warm_up(self, counts: Sequence[int]) -> float:
        """See `Engine.warm_up`; captures every bucket up to the largest count.

        Where memory does not suffice, the last bucket is halved with a warning until it does.

        Raises:
            DeviceMemoryError: no memory for the smallest bucket either.
            DeviceLostError: the device no longer answers.
        """
        started = time.perf_counter()
        with self._on_device("warming up"):
            self._with_fewer_points(lambda: self._warm(counts))
            if self._device.type == "cuda":
                torch.cuda.synchronize()  # sync: warm-up ends when the device is done
        return time.perf_counter() - started

    def _warm(self, counts: Sequence[int]) -> None:
        for capacity in self._buckets.up_to(max(counts, default=0)):
            self._preparer(capacity)
            for batch in self._batches:
                self._matcher(Launch(capacity, batch, ()))
        for count in (count for count in counts if count <= self._buckets.largest):
            image = self._prepare(random_points(self._network.architecture, count, self._device))
            for batch in self._batches:
                self._match([(image, image)] * batch, FULL, 0.1)

    def _with_fewer_points(self, action: Callable[[], None]) -> None:
        while True:
            try:
                with device_errors("warming up"):
                    return action()
            except DeviceMemoryError as error:
                if self._buckets.largest < 2 * self._buckets.capacities[0]:
                    raise
                self._drop_programs()
                self._buckets = self._buckets.halved()
                self._max_keypoints = self._buckets.largest
                log.warning("%s; going on with at most %d keypoints", error, self._buckets.largest)

    def _drop_programs(self) -> None:
        self._matchers.clear()
        self._preparers.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _on_device(self, doing: str) -> Iterator[None]:
        current = torch.cuda.device(self._device) if self._device.type == "cuda" else contextlib.nullcontext()
        with device_errors(doing), current:
            yield

    def _preparer(self, capacity: int) -> PrepareRunner:
        if capacity not in self._preparers:
            self._preparers[capacity] = self._factory.preparer(capacity)
        return self._preparers[capacity]

    def _matcher(self, launch: Launch) -> MatchRunner:
        key = launch.capacity, launch.batch
        if key not in self._matchers:
            self._matchers[key] = self._factory.matcher(launch.batch, self._buckets.widths(launch.capacity))
        return self._matchers[key]

    def _prepare(self, points: Points) -> CudaPrepared:
        capacity = self._buckets.fit(len(points)) if len(points) else None
        return self._factory.empty(points) if capacity is None else self._preparer(capacity).run(points)

    def _match(
        self, pairs: Sequence[tuple[CudaPrepared, CudaPrepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> list[NetworkOutput]:
        counts = [(len(image0), len(image1)) for image0, image1 in pairs]
        todo = plan(counts, self._buckets, self._batches)
        outputs = {p: no_matches(*counts[p], self._network.architecture, torch.device("cpu")) for p in todo.empty}
        # First all runners: one that has to be captured takes the device for itself.
        runners = [self._matcher(launch) for launch in todo.launches]
        pending: deque[tuple[Launch, Collect]] = deque()
        for launch, runner in zip(todo.launches, runners, strict=True):
            if len(pending) == MAX_PENDING:
                _collect(pending, outputs)
            pending.append((launch, runner.start([pairs[p] for p in launch.members], adaptivity, filter_threshold)))
        while pending:
            _collect(pending, outputs)
        for p in todo.too_large:
            outputs[p] = self._uncaptured(pairs[p], adaptivity, filter_threshold)
        return [outputs[p] for p in range(len(pairs))]

    def _uncaptured(
        self, pair: tuple[CudaPrepared, CudaPrepared], adaptivity: Adaptivity, filter_threshold: float
    ) -> NetworkOutput:
        """Matches a pair above the last bucket."""
        most = max(len(image) for image in pair)
        prepare, match = self._factory.uncaptured(math.ceil(most / LARGE_STEP) * LARGE_STEP)
        (output,) = match.start(
            [(prepare.run(pair[0].points), prepare.run(pair[1].points))], adaptivity, filter_threshold
        )()
        return output


def _collect(pending: deque[tuple[Launch, Collect]], outputs: dict[int, NetworkOutput]) -> None:
    """Waits for the oldest launch's answers."""
    launch, collect = pending.popleft()
    outputs.update(zip(launch.members, collect(), strict=True))
