# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Attention blocks, in place on the points that are left: weights, buffers and the launches of `block_kernels`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from lightmatch_ros.core.engine.cuda.fused import block_kernels as kernels
from lightmatch_ros.core.engine.cuda.fused.tiles import Tiles, power_of_2
from lightmatch_ros.core.engine.cuda.layers import cast
from lightmatch_ros.core.engine.folded import FoldedBlock

NORM_EPSILON = 1e-5


def dot_precision(dtype: torch.dtype) -> str:
    """Returns how tensor cores multiply a type: float32 as three TF32 products, which keeps 1e-6."""
    return "tf32x3" if dtype is torch.float32 else "tf32"


@dataclass(frozen=True, eq=False)
class BlockState:
    """Points of S images on their way through the blocks; images 2 p and 2 p + 1 are pair p.

    Attributes:
        x: (S, C, D) float32, states at the places that the points came in with.
        encoding: (S, C, 2 head_dim), cosines and signed sines, likewise.
        kept: (S, C) int32, places of the points that are left, in front.
        counts: (S,) int32, how many.
        running: (P,) int32, 1 where a pair has not ended.
    """

    x: Tensor
    encoding: Tensor
    kept: Tensor
    counts: Tensor
    running: Tensor

    @property
    def left(self) -> tuple[Tensor, Tensor, Tensor]:
        """What says which points are left: kept, counts, running."""
        return self.kept, self.counts, self.running


class FusedBlock:
    """An attention block. Updates states in place.

    Args:
        block: folded weights.
        num_heads: attention heads.
        dtype: of the products and the attention.
        cross: attends to the pair's other image.
    """

    def __init__(self, block: FoldedBlock, num_heads: int, dtype: torch.dtype, cross: bool) -> None:
        self._project = cast(block.project, dtype)
        self._widen = cast(block.update_in, dtype)
        self._norm = block.norm
        self._narrow = cast(block.update_out, dtype)
        self._num_heads = num_heads
        self._dtype = dtype
        self._cross = cross

    def __call__(self, state: BlockState, tiles: Tiles) -> None:
        """Launches the block; images without points and pairs that have ended stay as they are."""
        images, capacity, dim = state.x.shape
        row_tiles = triton.cdiv(capacity, tiles.rows)
        common = {"ROWS": tiles.rows, "PRECISION": dot_precision(self._dtype), "num_warps": tiles.warps}
        product = {"DIM": dim, "DEPTH": min(tiles.depth, power_of_2(dim)), **common}
        heads = {"HEADS": self._num_heads, "HEAD": dim // self._num_heads}
        parts = 2 if self._cross else 3
        projected = state.x.new_empty(parts, *state.x.shape, dtype=self._dtype)
        context = state.x.new_empty(state.x.shape, dtype=self._dtype)
        hidden = state.x.new_empty(images, capacity, 2 * dim, dtype=self._dtype)
        kernels.project[row_tiles, parts * self._num_heads, images](
            state.x,
            state.encoding,
            *state.left,
            self._project.weight,
            self._project.bias,
            projected,
            capacity,
            images,
            ROTATED=0 if self._cross else 2,
            HALF=power_of_2(heads["HEAD"] // 2),
            **heads,
            **product,
        )
        kernels.attend[row_tiles, self._num_heads, images](
            projected,
            state.counts,
            state.running,
            context,
            capacity,
            images,
            CROSS=self._cross,
            KEYS=tiles.keys,
            CHANNELS=power_of_2(heads["HEAD"]),
            **heads,
            **common,
        )
        kernels.widen[row_tiles, triton.cdiv(2 * dim, tiles.columns), images](
            state.x,
            context,
            *state.left,
            self._widen.weight,
            self._widen.bias,
            hidden,
            capacity,
            COLUMNS=tiles.columns,
            **product,
        )
        kernels.narrow[row_tiles, triton.cdiv(dim, tiles.columns), images](
            hidden,
            *state.left,
            self._norm.weight,
            self._norm.bias,
            self._narrow.weight,
            self._narrow.bias,
            state.x,
            capacity,
            EPSILON=NORM_EPSILON,
            COLUMNS=tiles.columns,
            **product,
        )
