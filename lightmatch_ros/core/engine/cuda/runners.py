# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Captured programs with their ways in and out, and the factory that captures them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda import graphs
from lightmatch_ros.core.engine.cuda.assignment import Heads
from lightmatch_ros.core.engine.cuda.buckets import level_for
from lightmatch_ros.core.engine.cuda.layers import Layers
from lightmatch_ros.core.engine.cuda.program import MatchProgram, PrepareProgram
from lightmatch_ros.core.engine.cuda.schedule import (
    Body,
    Branch,
    FlagReader,
    HostFlags,
    LaunchAhead,
    Schedule,
    Whole,
    host_branch,
)
from lightmatch_ros.core.engine.cuda.transfer import DeviceFlags, Slot
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.engine.interface import Precision, Prepared
from lightmatch_ros.core.engine.product import DTYPE
from lightmatch_ros.core.errors import DeviceError
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points


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

    def __init__(self, program: MatchProgram, schedule: Schedule) -> None:
        self._program = program
        self._schedule = schedule
        self._slots = [Slot(program.state), Slot(program.state)]

    def start(
        self, pairs: Sequence[tuple[CudaPrepared, CudaPrepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> Collect:
        """Launches a match of at most a batch of pairs, none without points; does not wait."""
        counts = [(len(image0), len(image1)) for image0, image1 in pairs]
        slot = self._slots.pop(0)
        self._slots.append(slot)
        slot.send(counts, adaptivity, filter_threshold)
        self._load(pairs)
        level = level_for(self._program.widths, max(max(pair) for pair in counts))
        self._schedule.run(level, adaptivity.active)
        slot.fetch()
        return lambda: slot.receive(counts)

    def _load(self, pairs: Sequence[tuple[CudaPrepared, CudaPrepared]]) -> None:
        """Copies the images into the program's buffers, leaving what lies beyond them."""
        state = self._program.state
        for p, pair in enumerate(pairs):
            for i, image in enumerate(pair):
                state.x[p, i, : len(image.x)].copy_(image.x)
                state.encoding[p, i, : len(image.x)].copy_(image.encoding)


class Factory:
    """Builds and captures programs for a network.

    Attributes:
        captures: programs captured so far; on a CPU, built.

    Args:
        network: on the device.
        precision: see `CudaEngine`.
        conditional: use conditional graph nodes; None = where torch has them. On a CPU the same schedules run with the
            host in the device's place.

    Raises:
        DeviceError: conditional graph nodes are asked for and not there.
    """

    def __init__(self, network: LightGlue, precision: Precision, conditional: bool | None) -> None:
        self.captures = 0
        self._network = network
        self._device = next(network.parameters()).device
        self._dtype = DTYPE[precision]
        folded = fold(network)
        self._layers = Layers(folded, network.architecture.num_heads, self._dtype)
        self._heads = Heads(folded)
        on_cuda = self._device.type == "cuda"
        self._graphs = graphs.GraphCapture(self._device) if on_cuda else None
        self._branch: Branch = graphs.CapturedBranch() if on_cuda else host_branch
        has_nodes = not on_cuda or graphs.conditional_nodes()
        if conditional and not has_nodes:
            raise DeviceError(f"torch {torch.__version__} has no conditional graph nodes, wanted them: 2.13, CUDA 12.4")
        self._conditional = has_nodes if conditional is None else conditional

    def empty(self, points: Points) -> CudaPrepared:
        """Returns an image that no program takes."""
        a = self._network.architecture
        x = torch.empty(0, a.descriptor_dim, device=self._device)
        return CudaPrepared(points, x, torch.empty(0, 2 * a.head_dim, dtype=self._dtype, device=self._device))

    def preparer(self, capacity: int) -> PrepareRunner:
        """Captures the preparation of images of a capacity."""
        program = PrepareProgram(self._network, self._layers, capacity, self._dtype)
        return PrepareRunner(program, self._capture(program.run))

    def matcher(self, batch: int, widths: Sequence[int]) -> MatchRunner:
        """Captures the matching of a batch at a capacity and the widths below it."""
        program = MatchProgram(self._network, self._layers, self._heads, batch, widths, self._dtype)
        return MatchRunner(program, self._schedule(program))

    def _schedule(self, program: MatchProgram) -> Schedule:
        if self._conditional:
            return Whole(program, self._capture, self._branch)
        flags = program.state.flags
        reader: FlagReader = DeviceFlags(flags) if flags.is_cuda else HostFlags(flags)
        return LaunchAhead(program, self._capture, reader)

    def _capture(self, body: Body) -> Body:
        self.captures += 1
        return body if self._graphs is None else self._graphs(body)
