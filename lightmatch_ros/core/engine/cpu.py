# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue on a CPU: folded weights, bfloat16 products, all images in one matrix, attention in blocks."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.assignment import best_matches
from lightmatch_ros.core.engine.folded import FoldedBlock, fold
from lightmatch_ros.core.engine.interface import OnDemand, Precision, Prepared, own
from lightmatch_ros.core.engine.kernels import Kernels, rotary
from lightmatch_ros.core.engine.malloc import keep_freed_memory
from lightmatch_ros.core.engine.product import DTYPE, Product
from lightmatch_ros.core.engine.progress import Progress
from lightmatch_ros.core.engine.random_points import match_random
from lightmatch_ros.core.engine.rows import Rows, gather
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points
from lightmatch_ros.core.lightglue.network import check_adaptivity


@dataclass(frozen=True, eq=False)
class CpuPrepared(Prepared):
    """An image after the first self-attention.

    Attributes:
        states: (M, D) float32.
        encoding: (2, M, C), see `kernels.rotary`.
    """

    states: Tensor
    encoding: Tensor

    def __len__(self) -> int:
        return len(self.states)

    @property
    def nbytes(self) -> int:
        """See `Prepared.nbytes`."""
        return self.states.nbytes + self.encoding.nbytes


class _Block:
    """An attention block's constants."""

    def __init__(self, block: FoldedBlock, precision: Precision) -> None:
        self.project = Product(block.project, precision)
        self.update_in = Product(block.update_in, precision)
        self.update_out = Product(block.update_out, precision)
        self.norm = block.norm


class CpuEngine(OnDemand):
    """Runs LightGlue on a CPU. Not thread-safe.

    Differs from the reference only by rounding: all decisions are the same functions of the same values.

    Args:
        network: loaded weights, on the CPU.
        precision: of the products with weights and in the attention. BF16 pays where the processor has it.
        kernels: for that precision.
    """

    name = "compiled"
    compilations = 0
    max_keypoints = None

    def __init__(self, network: LightGlue, precision: Precision, kernels: Kernels) -> None:
        keep_freed_memory()
        self.precision = precision
        self._network = network
        self._num_heads = network.architecture.num_heads
        self._kernels = kernels
        layers = fold(network)
        self._self_blocks = [_Block(layer.self_block, precision) for layer in layers]
        self._cross_blocks = [_Block(layer.cross_block, precision) for layer in layers]
        self._decides = [layer.decide for layer in layers]
        self._assigns = [layer.assign for layer in layers]

    @torch.inference_mode()
    def prepare(self, images: Sequence[Points]) -> list[Prepared]:
        """See `Engine.prepare`: input projection, positional encoding and the first self-attention."""
        sides = [self._embed(points) for points in images]
        if not sides:
            return []
        rows = gather(sides, [], DTYPE[self.precision])
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
        dtype = DTYPE[self.precision]
        images = [own(CpuPrepared, image) for p in waiting for image in pairs[p]]
        rows = gather([(image.states, image.encoding) for image in images], waiting, dtype)
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
        return match_random(self, self._network, counts)

    def _embed(self, points: Points) -> tuple[Tensor, Tensor]:
        network = self._network
        states = network.input_proj(points.descriptors).float()
        angles = network.posenc.Wr(network.positions(points))
        return states, rotary(angles, DTYPE[self.precision])

    def _self_attention(self, layer: int, rows: Rows) -> None:
        heads = self._num_heads
        projected = self._project(self._self_blocks[layer], rows, 3 * heads)
        self._kernels.rotate(projected[:, : 2 * heads], rows.encoding)
        queries, keys, values = projected.tensor_split(3, dim=1)  # (R, H, C)
        joined, contexts = self._join(rows)
        for r in rows.images():
            self._kernels.attend(queries[r], keys[r], values[r], contexts[r])
        self._update(self._self_blocks[layer], rows, joined)

    def _cross_attention(self, layer: int, rows: Rows) -> None:
        heads = self._num_heads
        projected = self._project(self._cross_blocks[layer], rows, 2 * heads)
        shared, values = projected.tensor_split(2, dim=1)  # (R, H, C)
        joined, contexts = self._join(rows)
        images = rows.images()
        for i, r in enumerate(images):
            other = images[i ^ 1]
            self._kernels.attend(shared[r], shared[other], values[other], contexts[r])
        self._update(self._cross_blocks[layer], rows, joined)

    def _project(self, block: _Block, rows: Rows, heads: int) -> Tensor:
        projected = block.project(rows.low).view(len(rows.low), heads, rows.encoding.shape[-1])  # (R', heads, C)
        return projected[: len(rows.states)]

    def _join(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """States beside room for contexts (R', 2 D), and the room as (R', H, C); see `Rows.low` for R'."""
        dim = rows.low.shape[1]
        joined = torch.empty(len(rows.low), 2 * dim, dtype=rows.low.dtype)
        joined[:, :dim] = rows.low
        joined[len(rows.states) :, dim:] = 0
        return joined, joined[:, dim:].view(len(joined), self._num_heads, dim // self._num_heads)

    def _update(self, block: _Block, rows: Rows, joined: Tensor) -> None:
        """Adds the update for states and contexts (R', 2 D) to the states."""
        hidden = self._kernels.norm_gelu(block.update_in(joined), block.norm.weight, block.norm.bias)
        count = len(rows.states)
        self._kernels.add(rows.states, block.update_out(hidden)[:count], rows.low[:count])

    def _assign(self, layer: int, threshold: float, states0: Tensor, states1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        assign = self._assigns[layer]
        assert assign is not None  # where a pair may end, the layer has the head
        all0, all1 = (F.linear(states, assign.weight, assign.bias) for states in (states0, states1))
        return best_matches(all0[:, :-1], all1[:, :-1], all0[:, -1], all1[:, -1], threshold, self._kernels)
