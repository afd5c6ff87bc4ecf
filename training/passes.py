# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network as training runs it: batches of pairs, both images at once, a head after every layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.lightglue import LightGlue, Points
from lightmatch_ros.core.lightglue.assignment import log_assignment
from lightmatch_ros.core.lightglue.layers import CrossAttention, Layer, SelfAttention, join_heads, rotate, split_heads
from training.ground_truth import Labels
from training.loss import assignment_loss


def states(network: LightGlue, points: Points) -> Iterator[Tensor]:
    """Yields the states (2, B, M, D) of both images after each layer, for points (2, B, M, .)."""
    x, encoding = network.embed(points)
    encoding = encoding.to(x.dtype)
    for layer in network.transformers:
        assert isinstance(layer, Layer)  # for the type checker
        x = self_attention(layer.self_attn, x, encoding)
        x = cross_attention(layer.cross_attn, x)
        yield x


def self_attention(block: SelfAttention, x: Tensor, encoding: Tensor) -> Tensor:
    """Returns what the block returns, with `attention` for the fused kernel."""
    qkv = block.Wqkv(x).unflatten(-1, (block.num_heads, -1, 3)).transpose(-3, -4)  # (2, B, H, M, head_dim, 3)
    q, k, v = qkv.unbind(-1)
    message = block.out_proj(join_heads(attention(rotate(q, encoding), rotate(k, encoding), v.contiguous())))
    update: Tensor = block.ffn(torch.cat([x, message], dim=-1))
    return x + update


def cross_attention(block: CrossAttention, x: Tensor) -> Tensor:
    """Returns what the block returns for both images at once, (2, B, M, D)."""
    qk, v = split_heads(block.to_qk(x), block.num_heads), split_heads(block.to_v(x), block.num_heads)
    message = block.to_out(join_heads(attention(qk, qk.flip(0), v.flip(0))))
    update: Tensor = block.ffn(torch.cat([x, message], dim=-1))
    return x + update


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention, (..., M, d).

    On a CPU as plain products: in bfloat16 forward and backward of the fused kernel take 2.3 times as long (measured
    with torch 2.13, 256 points, 48 channels). On CUDA the fused kernel.
    """
    if q.is_cuda:
        # (2 B, H, M, d): the fused kernels take four dimensions.
        message = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))
        return message.reshape(q.shape)
    weights = ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1, dtype=q.dtype)
    context: Tensor = weights @ v
    return context


def deep_loss(network: LightGlue, points: Points, labels: Labels) -> Tensor:
    """Returns the mean loss after each layer, (L,)."""
    losses = []
    for i, x in enumerate(states(network, points)):
        similarity, logits0, logits1 = network.head(i)(x[0], x[1])
        losses.append(assignment_loss(similarity, logits0, logits1, labels).mean())
    return torch.stack(losses)


def batch_matches(log_scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Reads mutual best matches from log assignments (B, M, N).

    Returns:
        (B, M) index in image 1 or -1, and (B, N) index in image 0 or -1.
    """
    best0, best1_of_0 = log_scores.max(2)
    best1, best0_of_1 = log_scores.max(1)
    rows = torch.arange(log_scores.shape[1], device=log_scores.device)
    columns = torch.arange(log_scores.shape[2], device=log_scores.device)
    mutual0 = (best0_of_1.gather(1, best1_of_0) == rows) & (best0.exp() > threshold)
    mutual1 = (best1_of_0.gather(1, best0_of_1) == columns) & (best1.exp() > threshold)
    return torch.where(mutual0, best1_of_0, -1), torch.where(mutual1, best0_of_1, -1)


@torch.no_grad()
def matches_by_layer(network: LightGlue, points: Points, threshold: float = 0.1) -> list[tuple[Tensor, Tensor]]:
    """Returns for each layer the matches it would give, see `batch_matches`."""
    found = []
    for i, x in enumerate(states(network, points)):
        found.append(batch_matches(log_assignment(*network.head(i)(x[0], x[1])), threshold))
    return found
