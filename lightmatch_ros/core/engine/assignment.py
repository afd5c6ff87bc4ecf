# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Matches from the soft assignment without ever holding its matrix.

Source: LightGlue (ICCV 2023), eq. 5-8. The log assignment of i and j is

    2 s_ij - lse_j' s_ij' - lse_i' s_i'j + log sigmoid(z_i) + log sigmoid(z_j),

so the best j of a row does not depend on the row's own sums, nor the best i of a column on the column's: two passes
over blocks of rows, one for the sums and one for the best, are all that it takes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Similarities of a block, of 4 bytes: 1 MB, as large as a second-level cache (guess).
BLOCK_ELEMENTS = 1 << 18
SMALLEST_BLOCK_ROWS = 128  # for the products' sake: at 20,000 columns 10 MB
# Up to here the first pass's similarities are kept for the second, 64 MB; above they are computed again.
KEPT_ELEMENTS = 1 << 24


def best_matches(
    projected0: Tensor, projected1: Tensor, logits0: Tensor, logits1: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the pairs that are each other's best and score above the threshold.

    Args:
        projected0: (M, D) float32, M >= 1; similarity is the product with projected1.
        projected1: (N, D) float32, N >= 1.
        logits0: (M,) float32, of matchability.
        logits1: (N,) float32.
        threshold: smallest score.

    Returns:
        indices0 (K,), indices1 (K,) int64 and scores (K,), in the order of indices0.
    """
    similarity = _Similarity(projected0, projected1)
    sums0, sums1 = _log_sums(similarity)
    bias0, bias1 = F.logsigmoid(logits0) - sums0, F.logsigmoid(logits1) - sums1
    best0, best1_of_0, best0_of_1 = _best(similarity, bias0, bias1)
    scores = (best0 + bias0).exp()
    own = torch.arange(len(best0), device=best0.device)
    indices0 = ((best0_of_1[best1_of_0] == own) & (scores > threshold)).nonzero().squeeze(1)  # sync: K is data
    return indices0, best1_of_0[indices0], scores[indices0]


class _Similarity:
    """Blocks of rows of the similarity matrix, kept where they are few."""

    def __init__(self, projected0: Tensor, projected1: Tensor) -> None:
        self._projected0, self._transposed = projected0, projected1.T
        self.shape = len(projected0), len(projected1)
        rows = max(SMALLEST_BLOCK_ROWS, BLOCK_ELEMENTS // self.shape[1])
        self.starts = range(0, self.shape[0], rows)
        self._kept: dict[int, Tensor] = {}

    def block(self, start: int) -> tuple[slice, Tensor]:
        """Returns which rows these are and their similarities, (rows, N)."""
        rows = slice(start, min(start + self.starts.step, self.shape[0]))
        found = self._kept.get(start)
        if found is None:
            found = self._projected0[rows] @ self._transposed
            if self.shape[0] * self.shape[1] <= KEPT_ELEMENTS:
                self._kept[start] = found
        return rows, found


def _log_sums(similarity: _Similarity) -> tuple[Tensor, Tensor]:
    """Log of the summed exponentials of the rows (M,) and the columns (N,)."""
    of_rows, of_columns = [], []
    for start in similarity.starts:
        _, block = similarity.block(start)
        of_rows.append(block.logsumexp(1))
        of_columns.append(block.logsumexp(0))
    return torch.cat(of_rows), torch.stack(of_columns).logsumexp(0)


def _best(similarity: _Similarity, bias0: Tensor, bias1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each row the best value (without the row's bias) and its column; for each column its best row."""
    values, columns = [], []
    best_value = best_row = torch.empty(0)
    for start in similarity.starts:
        rows, block = similarity.block(start)
        value, column = torch.add(bias1, block, alpha=2).max(1)
        values.append(value)
        columns.append(column)
        value, row = torch.add(bias0[rows].unsqueeze(1), block, alpha=2).max(0)
        if start == 0:
            best_value, best_row = value, row
        else:
            better = value > best_value
            best_value = torch.where(better, value, best_value)
            best_row = torch.where(better, row + start, best_row)
    return torch.cat(values), torch.cat(columns), best_row
