# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much of its work one program of a kernel does."""

from __future__ import annotations

from dataclasses import dataclass

import torch

# Rows of a launch, all images together, up to which small tiles are used: so that they are more than the
# multiprocessors of a large device (guess, not measured on a GPU).
FEW_ROWS = 4096


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


# Points of a step of the decisions.
CHUNK = 1024


def tiles_for(images: int, capacity: int, dtype: torch.dtype) -> Tiles:
    """Returns the tiles for a launch of images of a capacity, with products of a type.

    All fit into the 99 KB of shared memory that the smallest of the wanted devices have, and but for the assignment's
    into their registers; test_fused_compiles.py looks at it.
    """
    if dtype is torch.float32:
        return Tiles(rows=32, columns=64, depth=32, keys=32, warps=8)
    if images * capacity <= FEW_ROWS:
        return Tiles(rows=32, columns=64, depth=64, keys=64, warps=4)
    return Tiles(rows=64, columns=128, depth=32, keys=64, warps=8)


def power_of_2(size: int) -> int:
    """Returns the smallest power of 2 that holds a size and a tensor core can work on."""
    return max(16, 1 << (size - 1).bit_length())
