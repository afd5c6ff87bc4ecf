# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The steps of a match for one capacity and batch, in fixed shapes: begin, layers, assignment, finish.

No step reads the device; each may be captured into a CUDA graph, and runs as it is on a CPU. A layer for which no pair
is running leaves everything as it is, so that it may be launched before it is known whether it is wanted.

In what is captured, numbers are filled in with masked_fill and never with torch.where, which would copy them from the
host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda import assignment, decisions
from lightmatch_ros.core.engine.cuda.assignment import Heads
from lightmatch_ros.core.engine.cuda.layers import Layers, rotary_rows
from lightmatch_ros.core.engine.cuda.state import State
from lightmatch_ros.core.lightglue import LightGlue, Points
from lightmatch_ros.core.lightglue.adaptive import confidence_threshold
from lightmatch_ros.core.lightglue.network import encoded_columns

# Takes states (S, W, D), encodings and counts (S,) to updated states.
SelfAttention = Callable[[Tensor, Tensor, Tensor], Tensor]


class MatchProgram:
    """Matches a batch of pairs. Not thread-safe; one match at a time.

    Attributes:
        state: its buffers: before `begin`, the request's words, the states and the encodings are filled in.
        widths: rows that a step can run on, descending; the first is the capacity.
        n_layers: of the network.

    Args:
        network: on the device.
        layers: of the network, in the precision wanted.
        heads: of the network.
        batch: pairs.
        widths: see above.
        dtype: of the layers' products.
    """

    def __init__(
        self,
        network: LightGlue,
        layers: Layers,
        heads: Heads,
        batch: int,
        widths: Sequence[int],
        dtype: torch.dtype,
    ) -> None:
        device = next(network.parameters()).device
        self.state = State.allocate(network.architecture, batch, widths, dtype, device)
        self.widths = tuple(widths)
        self.n_layers = network.architecture.n_layers
        self._layers = layers
        self._heads = heads
        self._widths = torch.tensor(widths, dtype=torch.int32, device=device)

    def begin(self) -> None:
        """Resets the state for the request's counts."""
        self.state.begin(self._widths)

    def layer(self, i: int, level: int) -> None:
        """Runs a layer on the first widths[level] rows, which must hold all points of running pairs; then decides."""
        s = self.state
        rows = s.x[:, :, : self.widths[level]]
        x = torch.where(s.running[:, None, None, None], self._attention(i, rows), rows)
        s.answer.stop_layer.add_(s.running)
        decide = self._layers.decides[i]
        if decide is not None:
            x = decisions.adapt(s, x, decide, confidence_threshold(i, self.n_layers))
        rows.copy_(x)
        if i + 1 < self.n_layers:
            s.choose_width(i + 1, self._widths, s.running)

    def choose_assignment(self) -> None:
        """Chooses the assignment's width."""
        self.state.choose_width(self.n_layers, self._widths, torch.ones_like(self.state.running))

    def assign(self, level: int) -> None:
        """Reads matches from the first widths[level] rows, which must hold all points of all pairs."""
        assignment.assign(self.state, self._heads, self.widths[level])

    def finish(self) -> None:
        """Completes the answer: without pruning each point counts as looked at to the end."""
        self.state.answer.layers.masked_fill_(self.state.request.prunes == 0, self.n_layers)

    def _attention(self, i: int, rows: Tensor) -> Tensor:
        """The layer's blocks; ended pairs cost no attention. The first self-attention is the images' own."""
        s = self.state
        counts = s.answer.counts.masked_fill(~s.running.unsqueeze(1), 0).flatten()
        x = rows.flatten(0, 1)  # (2 B, W, D)
        if i:
            encoding = s.encoding[:, :, : rows.shape[2]].flatten(0, 1)
            x = self._layers.self_blocks[i].self_attention(x, encoding, counts)
        return self._layers.cross_blocks[i].cross_attention(x, counts).view(rows.shape)


class PrepareProgram:
    """Takes one image through what does not depend on the other: states after the first self-attention.

    Attributes:
        keypoints (C, 2), descriptors (C, input_dim), scales (C,), orientations (C,): inputs, float32.
        request: (3,) float32: number of points, width and height of the image.
        x: (C, D) float32, the output.
        encoding: (C, 2 head_dim), the output, see `State`.

    Args:
        network: on the device.
        self_attention: the first layer's, see `layers.Block.self_attention`.
        capacity: points.
        dtype: of the layers' products.
    """

    def __init__(self, network: LightGlue, self_attention: SelfAttention, capacity: int, dtype: torch.dtype) -> None:
        a, device = network.architecture, next(network.parameters()).device
        self.keypoints = torch.zeros(capacity, 2, device=device)
        self.descriptors = torch.zeros(capacity, a.input_dim, device=device)
        self.scales = torch.zeros(capacity, device=device)
        self.orientations = torch.zeros(capacity, device=device)
        self.request = torch.ones(3, device=device)
        self.x = torch.zeros(capacity, a.descriptor_dim, device=device)
        self.encoding = torch.zeros(capacity, 2 * a.head_dim, dtype=dtype, device=device)
        self._network = network
        self._self_attention = self_attention

    def load(self, points: Points) -> None:
        """Fills in the inputs; the rest of each keeps what an earlier image left.

        Raises:
            ConfigurationError: scales or orientations are wanted and absent.
        """
        count = len(points)
        self.keypoints[:count].copy_(points.keypoints)
        self.descriptors[:count].copy_(points.descriptors)
        if self._network.architecture.scale_orientation:
            scales, orientations = encoded_columns(points.scales, points.orientations)
            self.scales[:count].copy_(scales)
            self.orientations[:count].copy_(orientations)
        for place, number in enumerate((count, *points.size)):
            self.request[place].fill_(number)  # a kernel's argument: no copy from the host, nothing to wait for

    def run(self) -> None:
        """Computes the outputs."""
        positions = self._network.position_vectors(self.keypoints, self.request[1:], self.scales, self.orientations)
        encoding = rotary_rows(self._network.posenc.Wr(positions), self.encoding.dtype)
        x = self._network.input_proj(self.descriptors)
        count = self.request[:1].to(torch.int32)
        self.x.copy_(self._self_attention(x[None], encoding[None], count)[0])
        self.encoding.copy_(encoding)
