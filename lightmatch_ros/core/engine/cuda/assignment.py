# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Matches from the soft assignment in fixed shapes, without its matrix where that is large.

Source: LightGlue (ICCV 2023), eq. 5-8. The best of a row does not depend on the row's own log-sum-exp, nor the best of
a column on the column's: two passes over blocks of rows do, one for the sums and one for the best. Rows and columns
beyond the counts are at minus infinity.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.cuda.decisions import existing
from lightmatch_ros.core.engine.cuda.state import State
from lightmatch_ros.core.engine.folded import FoldedLayer

# Similarities in a block, of 4 bytes: 16 MB, so that 2,048 points are one block (guess, not measured on a GPU).
BLOCK_ELEMENTS = 1 << 22


class Heads:
    """The assignment heads of all layers, float32; a pair takes the one of the layer where it stopped.

    Args:
        folded: of which only the last layer may have a head.
    """

    def __init__(self, folded: Sequence[FoldedLayer]) -> None:
        heads = [layer.assign for layer in folded if layer.assign is not None]
        self._first = len(folded) - len(heads)
        self._weight = torch.stack([head.weight.T for head in heads])  # (L, D, D + 1)
        self._bias = torch.stack([head.bias for head in heads])  # (L, D + 1)

    def __call__(self, x: Tensor, stop_layer: Tensor) -> tuple[Tensor, Tensor]:
        """Returns projections (B, 2, W, D), whose products are similarities, and matchability logits (B, 2, W).

        Args:
            x: (B, 2, W, D) float32.
            stop_layer: (B,) int32, layers that have run; 0 gives the first head, for pairs that nobody reads.
        """
        which = (stop_layer - 1 - self._first).clamp_min(0)
        weight, bias = self._weight.index_select(0, which), self._bias.index_select(0, which)
        both = torch.baddbmm(bias.unsqueeze(1), x.flatten(1, 2), weight).view(*x.shape[:3], -1)  # (B, 2, W, D + 1)
        return both[..., :-1], both[..., -1]


def assign(state: State, heads: Heads, width: int) -> None:
    """Writes matches into the answer: of each row of image 0, its partner in image 1 or -1, and the score."""
    counts, answer = state.answer.counts, state.answer
    projected, logits = heads(state.x[:, :, :width], answer.stop_layer)
    exists = existing(counts, width) & (counts > 0).all(1)[:, None, None]
    scores, best1_of_0, best0_of_1 = best(projected, logits, exists)
    mutual = best0_of_1.gather(1, best1_of_0) == torch.arange(width, device=scores.device)
    found = mutual & (scores > state.request.threshold) & exists[:, 0]
    answer.index0[:, :width].copy_(state.kept[:, 0, :width])
    answer.index1[:, :width].copy_(state.kept[:, 1].gather(1, best1_of_0).masked_fill(~found, -1))
    answer.scores[:, :width].copy_(scores)


def best(projected: Tensor, logits: Tensor, exists: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Finds each point's best partner.

    Args:
        projected: (B, 2, W, D) float32.
        logits: (B, 2, W) float32.
        exists: (B, 2, W) bool.

    Returns:
        scores (B, W) of image 0's points with their best partners, those (B, W), those of image 1's points (B, W).
    """
    similarity = _Similarity(projected, exists)
    of_rows, of_columns = [], []
    for rows in similarity.blocks:
        block = similarity.of(rows)  # (B, R, W)
        of_rows.append(block.logsumexp(2))
        of_columns.append(block.logsumexp(1))
    sums = torch.stack([torch.cat(of_rows, 1), torch.stack(of_columns).logsumexp(0)], 1)
    # Without the mask, the infinite sums of what does not exist would make NaN of infinite similarities.
    bias = (F.logsigmoid(logits) - sums).masked_fill(~exists, -torch.inf)
    return _best_of_blocks(similarity, bias[:, 0], bias[:, 1])


def _best_of_blocks(similarity: _Similarity, bias0: Tensor, bias1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    values, columns, column_values, column_rows = [], [], [], []
    for rows in similarity.blocks:
        twice = 2 * similarity.of(rows)
        value, column = (twice + bias1.unsqueeze(1)).max(2)
        values.append(value)
        columns.append(column)
        value, row = (twice + bias0[:, rows].unsqueeze(2)).max(1)
        column_values.append(value)
        column_rows.append(row + rows.start)
    block_of_best = torch.stack(column_values).argmax(0, keepdim=True)
    best0_of_1 = torch.stack(column_rows).gather(0, block_of_best).squeeze(0)
    return (torch.cat(values, 1) + bias0).exp(), torch.cat(columns, 1), best0_of_1


class _Similarity:
    """Blocks of rows of the similarity matrices; a single block is kept, several are computed again when needed."""

    def __init__(self, projected: Tensor, exists: Tensor) -> None:
        self._projected0, self._projected1 = projected[:, 0], projected[:, 1].mT
        self._exists0, self._exists1 = exists[:, 0].unsqueeze(2), exists[:, 1].unsqueeze(1)
        batch, width = projected.shape[0], projected.shape[2]
        size = max(1, min(width, BLOCK_ELEMENTS // (batch * width)))
        self.blocks = [slice(start, min(start + size, width)) for start in range(0, width, size)]
        self._only: Tensor | None = None

    def of(self, rows: slice) -> Tensor:
        """Returns (B, R, W), minus infinity where a point does not exist."""
        if self._only is not None:
            return self._only
        exists = self._exists0[:, rows] & self._exists1
        block = (self._projected0[:, rows] @ self._projected1).masked_fill(~exists, -torch.inf)
        if len(self.blocks) == 1:
            self._only = block
        return block
