# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Captured programs with their ways in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from lightmatch_ros.core.engine.cuda.program import PrepareProgram
from lightmatch_ros.core.engine.cuda.schedule import Body, Schedule
from lightmatch_ros.core.engine.cuda.state import Ports
from lightmatch_ros.core.engine.cuda.transfer import Slot
from lightmatch_ros.core.engine.interface import Prepared
from lightmatch_ros.core.lightglue import Adaptivity, NetworkOutput, Points


@dataclass(frozen=True, eq=False)
class CudaPrepared(Prepared):
    """An image after the first self-attention, in buffers of its bucket's size that no match writes to.

    Attributes:
        points: as they came, for pairs that run in the reference network.
        x: (C, D) float32, the first rows are the points; no rows without points or above the last bucket.
        encoding: (C, 2 head_dim), as many rows.
    """

    points: Points
    x: Tensor
    encoding: Tensor

    def __len__(self) -> int:
        return len(self.points)

    @property
    def nbytes(self) -> int:
        """See `Prepared`; grows with the bucket, not with the points."""
        return self.x.nbytes + self.encoding.nbytes


# Waits for the answers of a launch.
Collect = Callable[[], list[NetworkOutput]]


class PrepareRunner:
    """Prepares images of one capacity."""

    def __init__(self, program: PrepareProgram, replay: Body) -> None:
        self._program = program
        self._replay = replay

    def run(self, points: Points) -> CudaPrepared:
        """Returns the image in buffers of its own."""
        self._program.load(points)
        self._replay()
        return CudaPrepared(points, self._program.x.clone(), self._program.encoding.clone())


class MatchRunner:
    """Matches batches of one capacity. At most two launches may wait to be collected."""

    def __init__(self, ports: Ports, schedule: Schedule) -> None:
        self._ports = ports
        self._schedule = schedule
        self._slots = [Slot(ports), Slot(ports)]

    def start(
        self, pairs: Sequence[tuple[CudaPrepared, CudaPrepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> Collect:
        """Launches a match of at most a batch of pairs, none without points; does not wait."""
        counts = [(len(image0), len(image1)) for image0, image1 in pairs]
        slot = self._slots.pop(0)
        self._slots.append(slot)
        slot.send(counts, adaptivity, filter_threshold)
        self._load(pairs)
        self._schedule.run(max(max(pair) for pair in counts), adaptivity.active)
        slot.fetch()
        return lambda: slot.receive(counts)

    def _load(self, pairs: Sequence[tuple[CudaPrepared, CudaPrepared]]) -> None:
        """Copies the images into the program's buffers, leaving what lies beyond them."""
        for p, pair in enumerate(pairs):
            for i, image in enumerate(pair):
                self._ports.x[p, i, : len(image.x)].copy_(image.x)
                self._ports.encoding[p, i, : len(image.x)].copy_(image.encoding)
