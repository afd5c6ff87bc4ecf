# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which programs an engine runs, and their capture."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import torch

from lightmatch_ros.core.engine.cuda import graphs
from lightmatch_ros.core.engine.cuda.assignment import Heads
from lightmatch_ros.core.engine.cuda.fused import has_triton
from lightmatch_ros.core.engine.cuda.layers import Layers
from lightmatch_ros.core.engine.cuda.program import MatchProgram, PrepareProgram, SelfAttention
from lightmatch_ros.core.engine.cuda.runners import CudaPrepared, MatchRunner, PrepareRunner
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
from lightmatch_ros.core.engine.cuda.state import Ports
from lightmatch_ros.core.engine.cuda.transfer import DeviceFlags
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.product import DTYPE
from lightmatch_ros.core.lightglue import LightGlue, Points


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


class Factory:
    """Builds and captures programs for a network.

    Attributes:
        captures: graphs captured so far; on a CPU, built.

    Args:
        network: on the device.
        precision: see `CudaEngine`.
        scheme: one that can run on the device. On a CPU the same programs run with the host in the device's place, and
            with Triton's interpreter the fused ones too.
    """

    def __init__(self, network: LightGlue, precision: Precision, scheme: Scheme) -> None:
        self.captures = 0
        self._network = network
        self._device = next(network.parameters()).device
        self._dtype = DTYPE[precision]
        programs = _FusedPrograms if scheme is Scheme.FUSED else _SteppedPrograms
        self._programs: _Programs = programs(network, self._dtype, scheme)
        on_cuda = self._device.type == "cuda"
        self._graphs = graphs.GraphCapture(self._device) if on_cuda else None
        self._branch: Branch = graphs.CapturedBranch() if on_cuda else host_branch

    def empty(self, points: Points) -> CudaPrepared:
        """Returns an image that no program takes."""
        a = self._network.architecture
        x = torch.empty(0, a.descriptor_dim, device=self._device)
        return CudaPrepared(points, x, torch.empty(0, 2 * a.head_dim, dtype=self._dtype, device=self._device))

    def preparer(self, capacity: int) -> PrepareRunner:
        """Captures the preparation of images of a capacity."""
        program = PrepareProgram(self._network, self._programs.self_attention, capacity, self._dtype)
        return PrepareRunner(program, self._capture(program.run))

    def matcher(self, batch: int, widths: Sequence[int]) -> MatchRunner:
        """Captures the matching of a batch at a capacity and, where the scheme needs them, the widths below it."""
        return MatchRunner(*self._programs.match(batch, widths, self._branch, self._capture))

    def uncaptured(self, capacity: int) -> tuple[PrepareRunner, MatchRunner]:
        """Returns what runs the same programs once, for one pair of any size; only `Scheme.FUSED` does not wait."""
        program = PrepareProgram(self._network, self._programs.self_attention, capacity, self._dtype)
        prepare = PrepareRunner(program, program.run)
        return prepare, MatchRunner(*self._programs.match(1, (capacity,), host_branch, lambda body: body))

    def _capture(self, body: Body) -> Body:
        self.captures += 1
        return body if self._graphs is None else self._graphs(body)


class _Programs(Protocol):
    """Programs of a scheme, before they are captured."""

    @property
    def self_attention(self) -> SelfAttention:
        """The first layer's."""

    def match(self, batch: int, widths: Sequence[int], branch: Branch, capture: Capture) -> tuple[Ports, Schedule]:
        """Returns a match's buffers and what runs it."""


class _FusedPrograms:
    def __init__(self, network: LightGlue, dtype: torch.dtype, _: Scheme) -> None:
        from lightmatch_ros.core.engine.cuda.fused.program import FusedLayers  # Triton is not everywhere

        self._layers = FusedLayers(fold(network), network.architecture, dtype)
        self._device = next(network.parameters()).device
        self.self_attention: SelfAttention = self._layers.first_self_attention

    def match(self, batch: int, widths: Sequence[int], branch: Branch, capture: Capture) -> tuple[Ports, Schedule]:
        from lightmatch_ros.core.engine.cuda.fused.program import FusedProgram

        program = FusedProgram(self._layers, batch, widths[0], self._device)
        return program, Plain(program.run, capture, self._layers.architecture.adaptive)


class _SteppedPrograms:
    def __init__(self, network: LightGlue, dtype: torch.dtype, scheme: Scheme) -> None:
        folded = fold(network)
        self._network = network
        self._dtype = dtype
        self._scheme = scheme
        self._layers = Layers(folded, network.architecture.num_heads, dtype)
        self._heads = Heads(folded)
        self.self_attention: SelfAttention = self._layers.self_blocks[0].self_attention

    def match(self, batch: int, widths: Sequence[int], branch: Branch, capture: Capture) -> tuple[Ports, Schedule]:
        program = MatchProgram(self._network, self._layers, self._heads, batch, widths, self._dtype)
        flags = program.state.flags
        if self._scheme is Scheme.CONDITIONAL:
            return program.state, Whole(program, capture, branch)
        reader: FlagReader = DeviceFlags(flags) if flags.is_cuda else HostFlags(flags)
        return program.state, LaunchAhead(program, capture, reader)
