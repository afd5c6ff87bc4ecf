# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Matches from the soft assignment, of large sets without ever holding its matrix.

Source: LightGlue (ICCV 2023), eq. 5-8. The log assignment of i and j is

    2 s_ij - lse_j' s_ij' - lse_i' s_i'j + log sigmoid(z_i) + log sigmoid(z_j),

so the best j of a row does not depend on the row's own sums, nor the best i of a column on the column's: two passes
over blocks of rows, one for the sums and one for the best, are all that it takes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.kernels import Kernels
from lightmatch_ros.core.lightglue.assignment import mutual_pairs

# Up to here the similarities are held in one piece, 64 MB; above in blocks, and twice computed.
WHOLE_ELEMENTS = 1 << 24
BLOCK_ROWS = 128  # at 20,000 columns 10 MB


def best_matches(
    projected0: Tensor, projected1: Tensor, logits0: Tensor, logits1: Tensor, threshold: float, kernels: Kernels
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the pairs that are each other's best and score above the threshold.

    Args:
        projected0: (M, D) float32, M >= 1; similarity is the product with projected1.
        projected1: (N, D) float32, N >= 1.
        logits0: (M,) float32, of matchability.
        logits1: (N,) float32.
        threshold: smallest score.
        kernels: for sets that are not large.

    Returns:
        indices0 (K,), indices1 (K,) int64 and scores (K,), in the order of indices0.
    """
    if len(projected0) * len(projected1) <= WHOLE_ELEMENTS:
        values, best1_of_0, best0_of_1 = kernels.assign(projected0 @ projected1.T, logits0, logits1)
    else:
        values, best1_of_0, best0_of_1 = assign_in_blocks(projected0, projected1, logits0, logits1)
    return mutual_pairs(values.exp(), best1_of_0, best0_of_1, threshold)


def assign_in_blocks(
    projected0: Tensor, projected1: Tensor, logits0: Tensor, logits1: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns what `Kernels.assign` does for the product of projected0 (M, D) and projected1 (N, D)."""
    blocks = [slice(i, i + BLOCK_ROWS) for i in range(0, len(projected0), BLOCK_ROWS)]
    of_rows, of_columns = [], []
    for rows in blocks:
        similarity = projected0[rows] @ projected1.T
        of_rows.append(similarity.logsumexp(1))
        of_columns.append(similarity.logsumexp(0))
    bias0 = F.logsigmoid(logits0) - torch.cat(of_rows)
    bias1 = F.logsigmoid(logits1) - torch.stack(of_columns).logsumexp(0)
    values, best1_of_0 = [], []
    best_value = torch.full_like(bias1, -torch.inf)
    best0_of_1 = torch.zeros(len(bias1), dtype=torch.int64, device=bias1.device)
    for rows in blocks:
        similarity = projected0[rows] @ projected1.T
        value, column = torch.add(bias1, similarity, alpha=2).max(1)
        values.append(value + bias0[rows])
        best1_of_0.append(column)
        value, row = torch.add(bias0[rows].unsqueeze(1), similarity, alpha=2).max(0)
        best0_of_1 = torch.where(value > best_value, row + rows.start, best0_of_1)
        best_value = torch.maximum(value, best_value)
    return torch.cat(values), torch.cat(best1_of_0), best0_of_1
