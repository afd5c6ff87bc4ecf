# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The decisions after a layer, as the reference network takes them, on the device and for pairs of one launch.

The order: the stop test first, over the points that came in; pruning only in pairs that go on; a pair of which an
image is emptied ends. See `lightglue.adaptive` for the formulas.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.cuda.compaction import source_rows, take_rows
from lightmatch_ros.core.engine.cuda.state import State
from lightmatch_ros.core.engine.folded import Affine


def adapt(state: State, x: Tensor, decide: Affine, threshold: float) -> Tensor:
    """Ends pairs and removes points; updates all of the state but its x.

    Args:
        state: in which ``running`` and ``answer`` are those before the decisions.
        x: (B, 2, W, D) float32, states after the layer.
        decide: the layer's heads.
        threshold: the layer's confidence, see `confidence_threshold`.

    Returns:
        x with the points that are left in front.
    """
    confidences, matchability = F.linear(x, decide.weight, decide.bias).sigmoid().unbind(-1)  # (B, 2, W)
    exists = existing(state.answer.counts, x.shape[2])
    stopped = _stopped(state, confidences, exists, threshold)
    prunes = _prunes(state, stopped)
    wanted = (matchability > state.request.unmatchable) | (confidences <= threshold)
    keep = exists & (wanted | ~prunes.unsqueeze(-1))
    _count_layers(state, keep & prunes.unsqueeze(-1))
    x = _compact(state, x, keep)
    emptied = (state.answer.counts == 0).any(1)
    state.running.logical_and_(~(stopped | emptied))
    return x


def existing(counts: Tensor, width: int) -> Tensor:
    """Which of the first ``width`` rows are points, (..., W) bool, for counts (...)."""
    return torch.arange(width, device=counts.device) < counts.unsqueeze(-1)


def _stopped(state: State, confidences: Tensor, exists: Tensor, threshold: float) -> Tensor:
    """Which pairs have enough confident points, (B,) bool."""
    unsure = ((confidences < threshold) & exists).sum((1, 2)).float()
    return (1.0 - unsure / state.total > state.request.depth) & (state.request.stops > 0)


def _prunes(state: State, stopped: Tensor) -> Tensor:
    """Which images lose points, (B, 2) bool."""
    pairs = state.running & ~stopped & (state.request.prunes > 0)
    return pairs.unsqueeze(1) & (state.answer.counts > state.request.min_points)


def _count_layers(state: State, looked_at: Tensor) -> None:
    """Adds a layer to the points that pruning has looked at and kept."""
    width = looked_at.shape[-1]
    state.answer.layers.scatter_add_(2, state.kept[:, :, :width], looked_at.to(torch.int32))


def _compact(state: State, x: Tensor, keep: Tensor) -> Tensor:
    batch, _, width = keep.shape
    source, counts = source_rows(keep.flatten(0, 1))
    for values in (state.encoding, state.kept):
        rows = values[:, :, :width]
        rows.copy_(take_rows(rows.flatten(0, 1), source).view(rows.shape))
    # A pair that has ended may have more points than this width.
    left = torch.where(state.running.unsqueeze(1), counts.view(batch, 2), state.answer.counts)
    state.answer.counts.copy_(left)
    return take_rows(x.flatten(0, 1), source).view(x.shape)
