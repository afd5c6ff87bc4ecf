# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which programs run a match on a device, and how each decides."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import torch

from lightmatch_ros.core.engine.cuda import graphs
from lightmatch_ros.core.engine.cuda.assignment import Heads
from lightmatch_ros.core.engine.cuda.fused import has_triton
from lightmatch_ros.core.engine.cuda.layers import Layers
from lightmatch_ros.core.engine.cuda.program import MatchProgram, SelfAttention
from lightmatch_ros.core.engine.cuda.schedule import (
    Body,
    Branch,
    Capture,
    FlagReader,
    HostFlags,
    LaunchAhead,
    Plain,
    Schedule,
    Whole,
    host_branch,
)
from lightmatch_ros.core.engine.cuda.state import Ports, request_words, write_request
from lightmatch_ros.core.engine.cuda.transfer import DeviceFlags
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.lightglue import LightGlue
from lightmatch_ros.core.lightglue.adaptive import FULL

if TYPE_CHECKING:
    from lightmatch_ros.core.engine.cuda.fused.program import FusedProgram
    from lightmatch_ros.core.engine.cuda.fused.tiles import Tiles


# Returns the time that a body takes on the device, s.
Clock = Callable[[Body], float]


class Scheme(StrEnum):
    """How depth and width are decided without waiting; the best first.

    Attributes:
        FUSED: Triton kernels that look at the device's counts themselves, in one plain graph; see `fused`.
        CONDITIONAL: torch's kernels, in one graph with conditional nodes; see `schedule.Whole`.
        AHEAD: torch's kernels, a graph for each layer, the host one layer behind; see `schedule.LaunchAhead`.
    """

    FUSED = "fused"
    CONDITIONAL = "conditional"
    AHEAD = "ahead"


def schemes(device: torch.device) -> list[Scheme]:
    """Returns what can run on a device, the best first; on a CPU, which stands in for one, the forms in torch."""
    if device.type != "cuda":
        return [Scheme.CONDITIONAL, Scheme.AHEAD]
    there = {Scheme.FUSED: has_triton(), Scheme.CONDITIONAL: graphs.conditional_nodes(), Scheme.AHEAD: True}
    return [scheme for scheme in Scheme if there[scheme]]


@dataclass(frozen=True)
class Means:
    """How programs become what runs: see `schedule`; a clock where they are to be measured."""

    capture: Capture
    branch: Branch
    clock: Clock | None = None


UNCAPTURED = Means(lambda body: body, host_branch)


class Programs(Protocol):
    """Programs of a scheme, before they are captured."""

    @property
    def self_attention(self) -> SelfAttention:
        """The first layer's."""

    def match(self, batch: int, widths: Sequence[int], means: Means) -> tuple[Ports, Schedule]:
        """Returns a match's buffers and what runs it."""


class FusedPrograms:
    """Fused kernels: one graph for a match with decisions and one for a match without."""

    def __init__(self, network: LightGlue, dtype: torch.dtype) -> None:
        from lightmatch_ros.core.engine.cuda.fused import program, tiles  # Triton is not everywhere

        self._layers = program.FusedLayers(fold(network), network.architecture, dtype)
        self._program = program.FusedProgram
        self._candidates = tiles.candidates(dtype)
        self._device = next(network.parameters()).device
        self.self_attention: SelfAttention = self._layers.first_self_attention

    def match(self, batch: int, widths: Sequence[int], means: Means) -> tuple[Ports, Schedule]:
        """See `Programs.match`; with a clock, in the tiles that are fastest at full capacity."""
        capacity, adaptive = widths[0], self._layers.architecture.adaptive

        def build(tiles: Tiles | None = None) -> tuple[FusedProgram, Plain]:
            program = self._program(self._layers, batch, capacity, self._device, tiles)
            return program, Plain(program.run, means.capture, adaptive)

        if means.clock is None:
            return build()
        full = torch.zeros(request_words(batch), dtype=torch.int32)
        write_request(full, [(capacity, capacity)] * batch, FULL, 0.0)
        built = [build(tiles) for tiles in self._candidates]
        for program, _ in built:
            program.request.words.copy_(full)
        times = [means.clock(functools.partial(schedule.run, capacity, False)) for _, schedule in built]
        return built[times.index(min(times))]


class SteppedPrograms:
    """torch's kernels: a layer is a step, for each width that it can run on."""

    def __init__(self, network: LightGlue, dtype: torch.dtype, scheme: Scheme) -> None:
        folded = fold(network)
        self._network = network
        self._dtype = dtype
        self._scheme = scheme
        self._layers = Layers(folded, network.architecture.num_heads, dtype)
        self._heads = Heads(folded)
        self.self_attention: SelfAttention = self._layers.self_blocks[0].self_attention

    def match(self, batch: int, widths: Sequence[int], means: Means) -> tuple[Ports, Schedule]:
        """See `Programs.match`."""
        program = MatchProgram(self._network, self._layers, self._heads, batch, widths, self._dtype)
        flags = program.state.flags
        if self._scheme is Scheme.CONDITIONAL:
            return program.state, Whole(program, means.capture, means.branch)
        reader: FlagReader = DeviceFlags(flags) if flags.is_cuda else HostFlags(flags)
        return program.state, LaunchAhead(program, means.capture, reader)


def programs_of(scheme: Scheme, network: LightGlue, dtype: torch.dtype) -> Programs:
    """Returns the programs of a scheme.

    Args:
        scheme: one that can run on the network's device.
        network: loaded weights.
        dtype: of the products and the attention.
    """
    return FusedPrograms(network, dtype) if scheme is Scheme.FUSED else SteppedPrograms(network, dtype, scheme)
