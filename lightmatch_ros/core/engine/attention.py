# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Attention on a CPU, a block of queries at a time, so that the scores of a block stay in the cache."""

from __future__ import annotations

import torch
from torch import Tensor

# Rows of a block. Measured on 2 cores with AVX512_BF16, 4 heads of 64, 1,024 and 2,048 keys: 128 rows are 15 % slower,
# 512 equal.
QUERY_BLOCK = 256


def attend(queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
    """Writes softmax(queries keys^T) values into out.

    Args:
        queries: (H, M, C), already scaled.
        keys: (H, N, C), N >= 1.
        values: (H, N, C).
        out: (M, H, C), may be a view.
    """
    transposed = keys.mT
    for start in range(0, queries.shape[1], QUERY_BLOCK):
        rows = slice(start, start + QUERY_BLOCK)
        weights = torch.bmm(queries[:, rows], transposed).softmax(-1)  # (H, block, N)
        out[rows].copy_(torch.bmm(weights, values).transpose(0, 1))
