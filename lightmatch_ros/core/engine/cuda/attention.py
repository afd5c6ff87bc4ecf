# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Attention among images of any lengths in slots of one size, the lengths known to the device alone."""

from __future__ import annotations

import inspect

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    from torch.nn.attention import varlen
except ImportError:  # torch < 2.10
    _varlen_attention = None
else:
    # Lengths of keys apart from their places came later than the function itself.
    has_lengths = "seqused_k" in inspect.signature(varlen.varlen_attn).parameters
    _varlen_attention = varlen.varlen_attn if has_lengths else None


def attend(q: Tensor, k: Tensor, v: Tensor, count_q: Tensor, count_k: Tensor) -> Tensor:
    """Returns softmax(q k^T) v of each image over its own keys, (S, W, H, C).

    On CUDA in half precision variable-length flash attention, whose work shrinks with the counts; elsewhere, and where
    torch has no such function, dense attention with a mask, whose work does not. Rows beyond count_q, and images
    without keys, get values without meaning, in the dense form possibly NaN for the latter.

    Args:
        q: (S, W, H, C), scaled.
        k, v: (S, W, H, C).
        count_q, count_k: (S,) int32, rows that are points.
    """
    if q.is_cuda and q.dtype is not torch.float32 and _varlen_attention is not None and q.shape[-1] % 8 == 0:
        return _by_length(q, k, v, count_q, count_k)
    return _masked(q, k, v, count_k)


def slot_bounds(counts: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Describes S slots of ``width`` rows as 2 S sequences end to end: each slot's points, then the rest of the slot.

    Returns:
        bounds (2 S + 1,) int32: where sequences begin and the last ends; lengths (2 S,) int32 of keys to look at: the
        points, and none for the rests, so that these cost next to nothing.
    """
    starts = torch.arange(0, len(counts) * width, width, dtype=torch.int32, device=counts.device)
    bounds = F.pad(torch.stack([starts, starts + counts], 1).flatten(), (0, 1), value=len(counts) * width)
    lengths = torch.stack([counts, torch.zeros_like(counts)], 1).flatten()
    return bounds, lengths


def _by_length(q: Tensor, k: Tensor, v: Tensor, count_q: Tensor, count_k: Tensor) -> Tensor:
    assert _varlen_attention is not None  # for the type checker
    width = q.shape[1]
    bounds_q, _ = slot_bounds(count_q, width)
    bounds_k, lengths_k = slot_bounds(count_k, width)
    q_rows, k_rows, v_rows = (x.flatten(0, 1) for x in (q, k, v))  # (S W, H, C)
    out = _varlen_attention(q_rows, k_rows, v_rows, bounds_q, bounds_k, width, width, scale=1.0, seqused_k=lengths_k)
    assert isinstance(out, Tensor)  # for the type checker: a tuple comes only where asked for
    return out.view(q.shape)


def _masked(q: Tensor, k: Tensor, v: Tensor, count_k: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))  # (S, H, W, C)
    exists = torch.arange(k.shape[2], device=k.device) < count_k.unsqueeze(1)  # (S, W)
    return F.scaled_dot_product_attention(q, k, v, exists[:, None, None, :], scale=1.0).transpose(1, 2)
