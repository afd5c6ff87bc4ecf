# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A whole match as a row of fused kernels in fixed shapes, with nothing that anybody waits for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda.fused import decisions
from lightmatch_ros.core.engine.cuda.fused.assignment import FusedHeads
from lightmatch_ros.core.engine.cuda.fused.blocks import BlockState, FusedBlock
from lightmatch_ros.core.engine.cuda.fused.tiles import Tiles, tiles_for
from lightmatch_ros.core.engine.cuda.state import Answer, Request
from lightmatch_ros.core.engine.folded import FoldedLayer
from lightmatch_ros.core.lightglue import Architecture
from lightmatch_ros.core.lightglue.adaptive import confidence_threshold


class FusedLayers:
    """A network's weights in a precision; one object serves all programs.

    Attributes:
        architecture: of the network.
        dtype: of the products and the attention.
        self_blocks, cross_blocks: of each layer.
        decides: of each layer, see `FoldedLayer`.
        heads: of the assignment.
    """

    def __init__(self, folded: Sequence[FoldedLayer], architecture: Architecture, dtype: torch.dtype) -> None:
        num_heads = architecture.num_heads
        self.architecture = architecture
        self.dtype = dtype
        self.self_blocks = [FusedBlock(layer.self_block, num_heads, dtype, cross=False) for layer in folded]
        self.cross_blocks = [FusedBlock(layer.cross_block, num_heads, dtype, cross=True) for layer in folded]
        self.decides = [layer.decide for layer in folded]
        self.heads = FusedHeads(folded)

    def first_self_attention(self, x: Tensor, encoding: Tensor, counts: Tensor) -> Tensor:
        """Returns the updated states of images of which nothing has been pruned. See `layers.Block.self_attention`."""
        images, capacity, _ = x.shape
        tiles = tiles_for(images, capacity, self.dtype)
        kept = torch.arange(capacity, dtype=torch.int32, device=x.device).expand(images, -1).contiguous()
        state = BlockState(x.clone(), encoding, kept, counts, torch.ones_like(counts))
        self.self_blocks[0](state, tiles)
        return state.x


class FusedProgram:
    """Matches a batch of pairs. Not thread-safe; one match at a time.

    What a match allocates in passing belongs to the pool of the graph that it is captured into.

    Attributes:
        request, answer: see there.
        x: (B, 2, C, D) float32 and encoding: (B, 2, C, 2 head_dim), filled in before each match.

    Args:
        layers: weights.
        batch: pairs.
        capacity: points of an image.
        device: CUDA; with Triton's interpreter, CPU.
        tiles: of the blocks; None for those that are right as a rule.
    """

    def __init__(
        self, layers: FusedLayers, batch: int, capacity: int, device: torch.device, tiles: Tiles | None = None
    ) -> None:
        a = layers.architecture
        self.request = Request.allocate(batch, device)
        self.answer = Answer.allocate(batch, capacity, device)
        self.x = torch.zeros(batch, 2, capacity, a.descriptor_dim, device=device)
        self.encoding = torch.zeros(batch, 2, capacity, 2 * a.head_dim, dtype=layers.dtype, device=device)
        self._layers = layers
        self._tiles = tiles or tiles_for(2 * batch, capacity, layers.dtype)

    def run(self, adaptive: bool) -> None:
        """Launches all kernels.

        Args:
            adaptive: look for pairs to end and points to prune; only where the network has the heads for it.
        """
        layers, n_layers = self._layers, self._layers.architecture.n_layers
        state = decisions.begin(self.x, self.encoding, self.request, self.answer, n_layers)
        for i in range(n_layers):
            if i:  # the first is the images' own
                layers.self_blocks[i](state, self._tiles)
            layers.cross_blocks[i](state, self._tiles)
            heads = layers.decides[i]
            if adaptive and heads is not None:
                decisions.adapt(state, heads, confidence_threshold(i, n_layers), i + 1)
        layers.heads(state)
