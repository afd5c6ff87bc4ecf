# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much there is to multiply, and how fast this machine multiplies."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.engine.product import DTYPE
from lightmatch_ros.core.lightglue import Architecture

# Rows, channels in and channels out of the product that stands for the machine: 1,024 keypoints of two images through
# the widest product of the official network.
GEMM = (2048, 512, 512)
# Products in one timing, a fifth of a second on a slow core: a single one is too short for the clock of a busy machine.
_PRODUCTS = 8


def multiply_adds(architecture: Architecture, count0: int, count1: int) -> int:
    """Returns the multiply-adds of a match at full depth, without norms, softmax and other element-wise work.

    For D channels and both images' points R: a self-attention block has 10 D^2 R in its weights (3 for queries, keys
    and values, 1 for the projection, 6 for the update), a cross-attention block 9 D^2 R (keys serve as queries), and
    the attentions 2 D for each pair of points that attend to each other.
    """
    d, rows = architecture.descriptor_dim, count0 + count1
    weights = 19 * d * d * rows
    attention = 2 * d * (count0**2 + count1**2 + 2 * count0 * count1)
    start = rows * architecture.position_dim * architecture.head_dim // 2
    if architecture.input_dim != d:
        start += rows * architecture.input_dim * d
    head = rows * d * (d + 1) + count0 * count1 * d
    return start + architecture.n_layers * (weights + attention) + head


def gemm_job(precision: Precision, device: torch.device) -> Callable[[], None]:
    """Returns a job of `GEMM_MULTIPLY_ADDS`."""
    rows, channels_in, channels_out = GEMM
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, channels_in, generator=generator).to(device, DTYPE[precision])
    weight = torch.randn(channels_out, channels_in, generator=generator).to(device, DTYPE[precision])

    def job() -> None:
        with torch.inference_mode():
            for _ in range(_PRODUCTS):
                F.linear(x, weight)

    return job


GEMM_MULTIPLY_ADDS = _PRODUCTS * GEMM[0] * GEMM[1] * GEMM[2]


def gflops(count: int, seconds: float) -> float:
    """Returns 1e9 operations a second for a number of multiply-adds, each of two operations."""
    return 2e-9 * count / seconds
