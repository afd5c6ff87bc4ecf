# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue's blocks on S images of W rows each, any of which may be padding.

What shrinks with the points that are left: attention exactly (see `attention`); products, norms and rotations with the
width that a step runs on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.cuda.attention import attend
from lightmatch_ros.core.engine.folded import Affine, FoldedBlock, FoldedLayer
from lightmatch_ros.core.engine.kernels import rotary


def rotary_rows(angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns `rotary`'s cosines and sines beside each other, (..., 2 C), for angles (..., C / 2)."""
    return torch.cat(rotary(angles, dtype).unbind(), -1)


def rotate(x: Tensor, encoding: Tensor) -> Tensor:
    """Rotates queries or keys (S, W, H, C), pairs of channels half a head apart, by the encoding (S, W, 2 C)."""
    cosine, sine = encoding.unsqueeze(-2).chunk(2, -1)  # (S, W, 1, C)
    return x * cosine + x.roll(x.shape[-1] // 2, -1) * sine


class Block:
    """An attention block.

    Args:
        block: folded weights.
        num_heads: attention heads.
        dtype: of the products and the attention; the residual sum is float32, a norm's sums are so inside its kernel.
    """

    def __init__(self, block: FoldedBlock, num_heads: int, dtype: torch.dtype) -> None:
        self._num_heads = num_heads
        self._dtype = dtype
        self._project = cast(block.project, dtype)
        self._update_in = cast(block.update_in, dtype)
        self._norm = cast(block.norm, dtype)
        self._update_out = cast(block.update_out, dtype)

    def self_attention(self, x: Tensor, encoding: Tensor, counts: Tensor) -> Tensor:
        """Returns the updated states.

        Args:
            x: (S, W, D) float32.
            encoding: (S, W, 2 head_dim).
            counts: (S,) int32; an image of 0 points costs no attention.
        """
        states = x.to(self._dtype)
        q, k, v = self._heads(states, 3)
        context = attend(rotate(q, encoding), rotate(k, encoding), v, counts, counts)
        return self._updated(x, states, context)

    def cross_attention(self, x: Tensor, counts: Tensor) -> Tensor:
        """Returns the updated states; images 2 p and 2 p + 1 attend to each other. See `self_attention`."""
        states = x.to(self._dtype)
        shared, values = self._heads(states, 2)
        context = attend(shared, swap(shared), swap(values), counts, swap(counts))
        return self._updated(x, states, context)

    def _heads(self, states: Tensor, parts: int) -> tuple[Tensor, ...]:
        projected = F.linear(states, self._project.weight, self._project.bias)
        return projected.view(*states.shape[:2], parts, self._num_heads, -1).unbind(2)  # each (S, W, H, C)

    def _updated(self, x: Tensor, states: Tensor, context: Tensor) -> Tensor:
        joined = torch.cat([states, context.flatten(2)], -1)
        hidden = F.linear(joined, self._update_in.weight, self._update_in.bias)
        hidden = F.gelu(F.layer_norm(hidden, hidden.shape[-1:], self._norm.weight, self._norm.bias))
        return x + F.linear(hidden, self._update_out.weight, self._update_out.bias)


def swap(x: Tensor) -> Tensor:
    """Exchanges images 2 p and 2 p + 1 of (S, ...)."""
    return x.view(-1, 2, *x.shape[1:]).flip(1).flatten(0, 1)


class Layers:
    """All blocks of a network in a precision.

    Attributes:
        decides: of each layer, logits of confidence and matchability, float32; None where it has no heads.
    """

    def __init__(self, folded: Sequence[FoldedLayer], num_heads: int, dtype: torch.dtype) -> None:
        self.self_blocks = [Block(layer.self_block, num_heads, dtype) for layer in folded]
        self.cross_blocks = [Block(layer.cross_block, num_heads, dtype) for layer in folded]
        self.decides: list[Affine | None] = [layer.decide for layer in folded]


def cast(affine: Affine, dtype: torch.dtype) -> Affine:
    """Returns an affine map in a precision."""
    return Affine(affine.weight.to(dtype), affine.bias.to(dtype))
