# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The assignment heads, and the launches of `assignment_kernels`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton

from lightmatch_ros.core.engine.cuda.fused import assignment_kernels as kernels
from lightmatch_ros.core.engine.cuda.fused.blocks import dot_precision
from lightmatch_ros.core.engine.cuda.fused.decisions import MatchState
from lightmatch_ros.core.engine.cuda.fused.tiles import power_of_2, tiles_for
from lightmatch_ros.core.engine.folded import FoldedLayer


class FusedHeads:
    """The assignment heads of all layers, float32; a pair takes the one of the layer where it stopped.

    Args:
        folded: of which only the last layer may have a head.
    """

    def __init__(self, folded: Sequence[FoldedLayer]) -> None:
        heads = [layer.assign for layer in folded if layer.assign is not None]
        self._first = len(folded) - len(heads)
        self._weight = torch.stack([head.weight for head in heads])  # (heads, D + 1, D)
        self._bias = torch.stack([head.bias for head in heads])  # (heads, D + 1)

    def __call__(self, state: MatchState) -> None:
        """Writes the answer."""
        images, capacity, dim = state.x.shape
        answer = state.answer
        tiles = tiles_for(images, capacity, torch.float32)
        row_tiles, column_tiles = triton.cdiv(capacity, tiles.rows), triton.cdiv(dim, tiles.columns)
        product = {
            "DIM": dim,
            "ROWS": tiles.rows,
            "COLUMNS": tiles.columns,
            "DEPTH": min(tiles.depth, power_of_2(dim)),
            "PRECISION": dot_precision(torch.float32),
            "num_warps": tiles.warps,
        }
        projected = torch.empty_like(state.x)
        logits, biases, values = state.x.new_empty(3, images, capacity)
        partners = torch.empty_like(state.kept)
        kernels.describe[row_tiles, column_tiles, images](
            state.x,
            state.kept,
            state.counts,
            state.stop_layer,
            self._weight,
            self._bias,
            projected,
            logits,
            capacity,
            FIRST=self._first,
            **product,
        )
        kernels.normalise[row_tiles, images](projected, logits, state.counts, biases, capacity, **product)
        kernels.best[row_tiles, images](projected, biases, state.counts, values, partners, capacity, **product)
        kernels.answer[row_tiles, images // 2](
            values,
            partners,
            state.kept,
            state.counts,
            state.stop_layer,
            state.request.threshold,
            answer.words,
            answer.index0,
            answer.index1,
            answer.scores,
            answer.words.stride(0),
            capacity,
            ROWS=tiles.rows,
        )
