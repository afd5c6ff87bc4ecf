# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much of its work one program of a kernel does."""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Points of a step of the decisions.
CHUNK = 1024


@dataclass(frozen=True)
class Tiles:
    """Sizes, powers of 2 and at least 16.

    Attributes:
        rows: of a tile of states.
        columns: of a tile of a product.
        depth: of a step of a product.
        keys: of a step of the attention.
        warps: of a program.
    """

    rows: int
    columns: int
    depth: int
    keys: int
    warps: int


_FLOAT32 = (
    Tiles(rows=32, columns=64, depth=32, keys=32, warps=8),
    Tiles(rows=64, columns=64, depth=32, keys=32, warps=8),
)
_HALF = (
    Tiles(rows=32, columns=64, depth=64, keys=64, warps=4),
    Tiles(rows=64, columns=64, depth=64, keys=64, warps=4),
    Tiles(rows=64, columns=128, depth=32, keys=64, warps=8),
    Tiles(rows=128, columns=64, depth=32, keys=64, warps=8),
)
# Rows of a launch, all images together, up to which the first tiles are used without a measurement: so that they are
# more than the multiprocessors of a large device (guess, not measured on a GPU).
_FEW_ROWS = 4096


def candidates(dtype: torch.dtype) -> tuple[Tiles, ...]:
    """Returns tiles for products of a type; which are fastest depends on the device.

    All fit into the shared memory and the registers of Ampere, Ada and Hopper devices; see test_fused_compiles.py.
    """
    return _FLOAT32 if dtype is torch.float32 else _HALF


def tiles_for(images: int, capacity: int, dtype: torch.dtype) -> Tiles:
    """Returns tiles for a launch of images of a capacity that nobody has measured."""
    return candidates(dtype)[0 if dtype is torch.float32 or images * capacity <= _FEW_ROWS else 2]


def power_of_2(size: int) -> int:
    """Returns the smallest power of 2 that holds a size and a tensor core can work on."""
    return max(16, 1 << (size - 1).bit_length())
