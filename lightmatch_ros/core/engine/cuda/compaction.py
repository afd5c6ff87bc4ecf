# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Compaction on the device: the rows that stay move to the front, in order; the host does not learn how many.

Shapes are fixed: W rows of each of S images, of which the first ``count`` are points and the rest are left-overs of
finite values that nothing reads.
"""

from __future__ import annotations

import torch
from torch import Tensor


def source_rows(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Finds by prefix sum which row goes to each place.

    Args:
        keep: (S, W) bool; False beyond an image's count.

    Returns:
        source (S, W) int64: the row that comes to each place, 0 beyond the new count; counts (S,) int32.
    """
    images, rows = keep.shape
    running = keep.cumsum(1)
    places = (running - 1).masked_fill(~keep, rows)  # rows that go are written to a place beyond the last
    source = places.new_zeros(images, rows + 1)
    source.scatter_(1, places, torch.arange(rows, device=keep.device).expand(images, rows))
    return source[:, :rows], running[:, -1].to(torch.int32)


def take_rows(values: Tensor, source: Tensor) -> Tensor:
    """Returns values (S, W, ...) with each place's row from its source (S, W)."""
    images, rows = source.shape
    first = torch.arange(0, images * rows, rows, device=source.device).unsqueeze(1)
    flat = values.reshape(images * rows, *values.shape[2:])
    return flat.index_select(0, (source + first).flatten()).view(values.shape)
