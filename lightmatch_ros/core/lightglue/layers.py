# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The blocks that LightGlue is built of, under the names of the official checkpoints.

Source: Lindenberger, Sarlin, Pollefeys, "LightGlue: Local Feature Matching at Light Speed", ICCV 2023, section 3.
Tensors are (..., M, D): any leading batch dimensions, M points, D channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PositionalEncoding(nn.Module):
    """Rotary encoding whose frequencies are learned (eq. 3).

    Args:
        position_dim: length of a position vector.
        head_dim: width of an attention head; every head gets the same encoding.
    """

    def __init__(self, position_dim: int, head_dim: int) -> None:
        super().__init__()
        self.Wr = nn.Linear(position_dim, head_dim // 2, bias=False)
        nn.init.normal_(self.Wr.weight, std=1.0)

    def forward(self, positions: Tensor) -> Tensor:
        """Returns cosines and sines, (2, ..., 1, M, head_dim), each value twice, for positions (..., M, P)."""
        angles = self.Wr(positions)
        pairs = torch.stack([angles.cos(), angles.sin()])
        return pairs.repeat_interleave(2, dim=-1).unsqueeze(-3)


def rotate(x: Tensor, encoding: Tensor) -> Tensor:
    """Rotates neighbouring channel pairs of x (..., H, M, head_dim) by the encoding's angles."""
    even, odd = x[..., 0::2], x[..., 1::2]
    quarter_turn = torch.stack([-odd, even], dim=-1).flatten(-2)
    return x * encoding[0] + quarter_turn * encoding[1]


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(..., M, D) -> (..., H, M, D / H)."""
    return x.reshape(*x.shape[:-1], num_heads, -1).transpose(-2, -3)


def join_heads(x: Tensor) -> Tensor:
    """(..., H, M, D / H) -> (..., M, D)."""
    return x.transpose(-2, -3).flatten(-2)


def update_network(dim: int) -> nn.Sequential:
    """The network that turns a state and its message, 2 D channels, into a residual update (eq. 1)."""
    return nn.Sequential(
        nn.Linear(2 * dim, 2 * dim),
        nn.LayerNorm(2 * dim),
        nn.GELU(),
        nn.Linear(2 * dim, dim),
    )


class SelfAttention(nn.Module):
    """Attention among the points of one image, with rotary position (eq. 2)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.Wqkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.ffn = update_network(dim)

    def forward(self, x: Tensor, encoding: Tensor) -> Tensor:
        """Returns the updated states, (..., M, D)."""
        qkv = self.Wqkv(x).unflatten(-1, (self.num_heads, -1, 3)).transpose(-3, -4)  # (..., H, M, head_dim, 3)
        q, k, v = qkv.unbind(-1)
        context = F.scaled_dot_product_attention(rotate(q, encoding), rotate(k, encoding), v.contiguous())
        message = self.out_proj(join_heads(context))
        update: Tensor = self.ffn(torch.cat([x, message], dim=-1))
        return x + update


class CrossAttention(nn.Module):
    """Attention between the points of two images; keys serve as queries as well (eq. 4)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qk = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)
        self.ffn = update_network(dim)

    def forward(self, x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the updated states of both images, (..., M, D) and (..., N, D)."""
        qk0, qk1 = (split_heads(self.to_qk(x), self.num_heads) for x in (x0, x1))
        v0, v1 = (split_heads(self.to_v(x), self.num_heads) for x in (x0, x1))
        return self._update(x0, qk0, qk1, v1), self._update(x1, qk1, qk0, v0)

    def _update(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        message = self.to_out(join_heads(F.scaled_dot_product_attention(query, key, value)))
        update: Tensor = self.ffn(torch.cat([x, message], dim=-1))
        return x + update


class Layer(nn.Module):
    """One LightGlue layer: self-attention in each image, then cross-attention between them."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, num_heads)
        self.cross_attn = CrossAttention(dim, num_heads)

    def forward(self, x0: Tensor, x1: Tensor, encoding0: Tensor, encoding1: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the updated states of both images."""
        updated: tuple[Tensor, Tensor] = self.cross_attn(self.self_attn(x0, encoding0), self.self_attn(x1, encoding1))
        return updated


class Confidence(nn.Module):
    """Predicts for each point whether its match at this layer is the last layer's (eq. 9)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.Linear(dim, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Returns confidences in (0, 1), (..., M)."""
        confidences: Tensor = self.token(x).squeeze(-1)
        return confidences
