# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a layer does between its matrix products, on a CPU: the kernels' interface, and the kernels in torch.

R rows are the points of any number of images one after the other, C the channels of a head.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

# Queries at a time, so that their scores stay in the cache. Measured with 4 heads of 64 and 1,024 and 2,048 keys on 2
# cores: 128 are 15 % slower, 512 equal.
QUERY_BLOCK = 256


class Kernels(Protocol):
    """Small functions over rows; all write into what they are given."""

    def rotate(self, heads: Tensor, encoding: Tensor) -> None:
        """Rotates the channel pairs (c, c + C / 2) of heads (R, H, C), a view, by an encoding from `rotary`."""

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
        """Writes softmax(queries keys^T) values.

        Args:
            queries: (M, H, C), already scaled, may be a view.
            keys: (N, H, C), N >= 1, may be a view.
            values: (N, H, C), may be a view.
            out: (M, H, C), may be a view.
        """

    def norm_gelu(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Returns the layer norm of x (R, W) with scale and shift (W,) float32, through a GELU; x is used up."""

    def add(self, states: Tensor, update: Tensor, low: Tensor) -> None:
        """Adds an update (R, D) to states (R, D) float32 and writes the sum to low (R, D), in the update's type."""

    def assign(self, similarity: Tensor, logits0: Tensor, logits1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Finds the best in the log assignment (LightGlue, eq. 5-8).

        Args:
            similarity: (M, N) float32, M, N >= 1.
            logits0: (M,) float32, of matchability.
            logits1: (N,) float32.

        Returns:
            Of each row the best value (M,) and its column (M,) int64; of each column the best row (N,) int64.
        """


def rotary(angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns cosines and signed sines for both halves of a head's channels, (2, ..., C), for angles (..., C / 2)."""
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)]).to(dtype)


class TorchKernels:
    """The kernels for any processor.

    torch.compile was tried on them: the norm got twice as slow, the rotation gained 0.2 ms of a layer's 30, and
    compiling took 23 s.
    """

    def rotate(self, heads: Tensor, encoding: Tensor) -> None:
        """See `Kernels.rotate`."""
        cosine, sine = encoding.unsqueeze(2)  # (R, 1, C) each
        turned = heads * cosine
        heads.copy_(turned.addcmul_(heads.roll(heads.shape[-1] // 2, -1), sine))

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
        """See `Kernels.attend`."""
        queries, values = (t.transpose(0, 1).contiguous() for t in (queries, values))  # (H, M, C)
        transposed = keys.permute(1, 2, 0).contiguous()  # (H, C, N)
        for start in range(0, queries.shape[1], QUERY_BLOCK):
            rows = slice(start, start + QUERY_BLOCK)
            weights = torch.bmm(queries[:, rows], transposed).softmax(-1)  # (H, block, N)
            out[rows].copy_(torch.bmm(weights, values).transpose(0, 1))

    def norm_gelu(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """See `Kernels.norm_gelu`."""
        return F.gelu(F.layer_norm(x, x.shape[-1:], scale.to(x.dtype), shift.to(x.dtype)))

    def add(self, states: Tensor, update: Tensor, low: Tensor) -> None:
        """See `Kernels.add`."""
        states += update
        low.copy_(states)

    def assign(self, similarity: Tensor, logits0: Tensor, logits1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernels.assign`."""
        bias0 = F.logsigmoid(logits0) - similarity.logsumexp(1)
        bias1 = F.logsigmoid(logits1) - similarity.logsumexp(0)
        values, best1 = torch.add(bias1, similarity, alpha=2).max(1)
        best0 = torch.add(bias0.unsqueeze(1), similarity, alpha=2).argmax(0)
        return values + bias0, best1, best0
