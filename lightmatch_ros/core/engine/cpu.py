# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue on a CPU: folded weights, bfloat16 products, all images in one matrix, attention in blocks."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightmatch_ros.core.engine import rowwise
from lightmatch_ros.core.engine.assignment import best_matches
from lightmatch_ros.core.engine.attention import attend
from lightmatch_ros.core.engine.folded import FoldedBlock, fold
from lightmatch_ros.core.engine.interface import Precision, Prepared
from lightmatch_ros.core.engine.malloc import keep_freed_memory
from lightmatch_ros.core.engine.product import DTYPE, Product
from lightmatch_ros.core.engine.progress import Progress
from lightmatch_ros.core.engine.random_points import random_points
from lightmatch_ros.core.engine.rows import Rows, gather
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points
from lightmatch_ros.core.lightglue.adaptive import FULL
from lightmatch_ros.core.lightglue.network import check_adaptivity


@dataclass(frozen=True, eq=False)
class CpuPrepared(Prepared):
    """An image after the first self-attention.

    Attributes:
        states: (M, D) float32.
        encoding: (2, M, C), see `rowwise.rotary`.
    """

    states: Tensor
    encoding: Tensor

    def __len__(self) -> int:
        return len(self.states)

    @property
    def nbytes(self) -> int:
        return self.states.nbytes + self.encoding.nbytes


class _Block:
    """An attention block's products."""

    def __init__(self, block: FoldedBlock, precision: Precision) -> None:
        self.project = Product(block.project, precision)
        self._update_in = Product(block.update_in, precision)
        self._update_out = Product(block.update_out, precision)
        self._scale, self._shift = (t.to(DTYPE[precision]) for t in (block.norm.weight, block.norm.bias))

    def update(self, states: Tensor, joined: Tensor) -> None:
        """Adds the update to the states (R, D) in place, for states and contexts side by side (R, 2 D)."""
        states += self._update_out(rowwise.norm_gelu(self._update_in(joined), self._scale, self._shift))


class CpuEngine:
    """Runs LightGlue on a CPU. Not thread-safe.

    Differs from the reference only by rounding: all decisions are the same functions of the same values.

    Args:
        network: loaded weights, on the CPU.
        precision: of the products with weights and in the attention. BF16 pays where the processor has it.
    """

    name = "compiled"
    compilations = 0

    def __init__(self, network: LightGlue, precision: Precision) -> None:
        keep_freed_memory()
        self.precision = precision
        self._network = network
        self._num_heads = network.architecture.num_heads
        layers = fold(network)
        self._self_blocks = [_Block(layer.self_block, precision) for layer in layers]
        self._cross_blocks = [_Block(layer.cross_block, precision) for layer in layers]
        self._decides = [layer.decide for layer in layers]

    @torch.inference_mode()
    def prepare(self, images: Sequence[Points]) -> list[Prepared]:
        """See `Engine.prepare`: input projection, positional encoding and the first self-attention."""
        sides = [self._embed(points) for points in images]
        if not sides:
            return []
        rows = gather(sides, [])
        self._self_attention(0, rows)
        return [CpuPrepared(rows.states[r].clone(), rows.encoding[:, r].clone()) for r in rows.images()]

    @torch.inference_mode()
    def match(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> list[NetworkOutput]:
        """See `Engine.match`."""
        check_adaptivity(adaptivity, self._network.architecture)
        progress = Progress([(len(p0), len(p1)) for p0, p1 in pairs], adaptivity, self._network.architecture)
        waiting = progress.waiting()
        if not waiting:
            return progress.outputs
        rows = gather([(image.states, image.encoding) for p in waiting for image in pairs[p]], waiting)
        for i, decide in enumerate(self._decides):
            if not rows.pairs:
                break
            if i:
                self._self_attention(i, rows)
            self._cross_attention(i, rows)
            progress.after_layer(i, rows, decide, functools.partial(self._assign, i, filter_threshold))
        return progress.outputs

    def warm_up(self, counts: Sequence[int]) -> float:
        """See `Engine.warm_up`."""
        started = time.perf_counter()
        for count in counts:
            images = self.prepare([random_points(self._network.architecture, count, torch.device("cpu"))] * 2)
            self.match([(images[0], images[1])], FULL, 0.1)
        return time.perf_counter() - started

    def _embed(self, points: Points) -> tuple[Tensor, Tensor]:
        network = self._network
        states = network.input_proj(points.descriptors).float()
        angles = network.posenc.Wr(network.positions(points))
        return states, rowwise.rotary(angles, DTYPE[self.precision])

    def _self_attention(self, layer: int, rows: Rows) -> None:
        block, heads = self._self_blocks[layer], self._num_heads
        joined, states, contexts = self._join(rows.states)
        projected = rowwise.rotated_heads(block.project(states), rows.encoding, heads)
        queries, keys, values = projected.split(heads)  # (H, R, C)
        for r in rows.images():
            attend(queries[:, r], keys[:, r], values[:, r], contexts[r])
        block.update(rows.states, joined)

    def _cross_attention(self, layer: int, rows: Rows) -> None:
        block, heads = self._cross_blocks[layer], self._num_heads
        joined, states, contexts = self._join(rows.states)
        shared, values = rowwise.split_heads(block.project(states), heads).split(heads)  # (H, R, C)
        images = rows.images()
        for i, r in enumerate(images):
            other = images[i ^ 1]
            attend(shared[:, r], shared[:, other], values[:, other], contexts[r])
        block.update(rows.states, joined)

    def _assign(self, layer: int, threshold: float, states0: Tensor, states1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        head = self._network.head(layer)
        projected0, projected1 = head.project(states0), head.project(states1)
        return best_matches(projected0, projected1, head.logits(states0), head.logits(states1), threshold)

    def _join(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States beside room for contexts (R, 2 D), the states in the products' type, the room as (R, H, C)."""
        dim = states.shape[1]
        low = states.to(DTYPE[self.precision])
        joined = torch.empty(len(low), 2 * dim, dtype=low.dtype)
        joined[:, :dim] = low
        return joined, low, joined[:, dim:].unflatten(1, (self._num_heads, -1))
