# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Captures programs for an engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lightmatch_ros.core.engine.cuda import graphs
from lightmatch_ros.core.engine.cuda.program import PrepareProgram
from lightmatch_ros.core.engine.cuda.runners import CudaPrepared, MatchRunner, PrepareRunner
from lightmatch_ros.core.engine.cuda.schedule import Body, host_branch
from lightmatch_ros.core.engine.cuda.schemes import UNCAPTURED, Clock, Means, Scheme, programs_of
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.product import DTYPE
from lightmatch_ros.core.lightglue import LightGlue, Points


class Factory:
    """Builds and captures programs for a network.

    Attributes:
        captures: graphs captured so far; on a CPU, built.

    Args:
        network: on the device.
        precision: see `CudaEngine`.
        scheme: one that can run on the device. On a CPU the same programs run with the host in the device's place, and
            with Triton's interpreter the fused ones too.
        clock: measures what the fused kernels' tiles are chosen by; None = they are not measured.
    """

    def __init__(self, network: LightGlue, precision: Precision, scheme: Scheme, clock: Clock | None = None) -> None:
        self.captures = 0
        self._network = network
        self._device = next(network.parameters()).device
        self._dtype = DTYPE[precision]
        self._programs = programs_of(scheme, network, self._dtype)
        on_cuda = self._device.type == "cuda"
        self._graphs = graphs.GraphCapture(self._device) if on_cuda else None
        self._means = Means(self._capture, graphs.CapturedBranch() if on_cuda else host_branch, clock)

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
        return MatchRunner(*self._programs.match(batch, widths, self._means))

    def uncaptured(self, capacity: int) -> tuple[PrepareRunner, MatchRunner]:
        """Returns what runs the same programs once, for one pair of any size; only `Scheme.FUSED` does not wait."""
        program = PrepareProgram(self._network, self._programs.self_attention, capacity, self._dtype)
        prepare = PrepareRunner(program, program.run)
        return prepare, MatchRunner(*self._programs.match(1, (capacity,), UNCAPTURED))

    def _capture(self, body: Body) -> Body:
        self.captures += 1
        return body if self._graphs is None else self._graphs(body)
