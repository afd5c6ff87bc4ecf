# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The state of a match, and the launches of `decision_kernels` on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from lightmatch_ros.core.engine.cuda.fused import decision_kernels as kernels
from lightmatch_ros.core.engine.cuda.fused.blocks import BlockState
from lightmatch_ros.core.engine.cuda.fused.tiles import CHUNK, power_of_2, tiles_for
from lightmatch_ros.core.engine.cuda.state import Answer, Request
from lightmatch_ros.core.engine.folded import Affine


@dataclass(frozen=True, eq=False)
class MatchState(BlockState):
    """A match on its way.

    Attributes:
        stop_layer: (P,) int32, layers after which a pair has ended; all of them while it runs.
        request, answer: see there; the answer's layers are the current ones.
    """

    stop_layer: Tensor
    request: Request
    answer: Answer


def begin(x: Tensor, encoding: Tensor, request: Request, answer: Answer, n_layers: int) -> MatchState:
    """Starts a match with all points that the request counts.

    Args:
        x: (B, 2, C, D) float32, which the match writes to.
        encoding: (B, 2, C, 2 head_dim).
        request, answer: of the batch.
        n_layers: of the network.
    """
    batch, _, capacity, _ = x.shape

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.int32, device=x.device)

    left = empty(2 * batch, capacity), empty(2 * batch), empty(batch)
    state = MatchState(x.flatten(0, 1), encoding.flatten(0, 1), *left, empty(batch), request, answer)
    kernels.begin[triton.cdiv(capacity, CHUNK), 2 * batch](
        request.counts,
        request.prunes,
        *state.left,
        state.stop_layer,
        answer.layers,
        capacity,
        answer.layers.stride(0),
        N_LAYERS=n_layers,
        CHUNK=CHUNK,
    )
    return state


def adapt(state: MatchState, heads: Affine, threshold: float, step: int) -> None:
    """Ends pairs and takes points off their lists.

    Args:
        state: after the layer.
        heads: of the layer, see `FoldedLayer.decide`.
        threshold: the layer's confidence, see `confidence_threshold`.
        step: layers that have run.
    """
    images, capacity, dim = state.x.shape
    request, layers = state.request, state.answer.layers
    rows = tiles_for(images, capacity, torch.float32).rows
    verdicts = torch.empty_like(state.kept)
    kernels.judge[triton.cdiv(capacity, rows), images](
        state.x,
        *state.left,
        heads.weight,
        heads.bias,
        request.unmatchable,
        verdicts,
        threshold,
        capacity,
        DIM=dim,
        ROWS=rows,
        WIDTH=power_of_2(dim),
    )
    kernels.decide[(images // 2,)](
        verdicts,
        request.counts,
        request.min_points,
        request.stops,
        request.depth,
        request.prunes,
        *state.left,
        state.stop_layer,
        layers,
        step,
        capacity,
        layers.stride(0),
        CHUNK=CHUNK,
    )
