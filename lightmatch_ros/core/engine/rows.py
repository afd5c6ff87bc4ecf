# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The points of several pairs, one after the other as the rows of one matrix: no masks, any counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightmatch_ros.core.types import BoolArray, IndexArray

# oneDNN makes a program for each number of rows that it meets, 0.4 ms for each product; of rounded numbers it soon has
# all. Products of up to this many rows more cost less.
ROW_BLOCK = 64


@dataclass
class Rows:
    """Pairs on their way through the layers; images 2 p and 2 p + 1 are images 0 and 1 of the p-th pair that is left.

    Attributes:
        states: (R, D) float32.
        low: (R', D) the same, rounded to the type that products take, and zeros up to a multiple of `ROW_BLOCK`.
        encoding: (2, R, C), see `kernels.rotary`.
        kept: (R,) int64, each row's index among the points that its image came with.
        counts: rows of each image.
        pairs: of the pairs that are left, which they were at the start.
    """

    states: Tensor
    low: Tensor
    encoding: Tensor
    kept: IndexArray
    counts: list[int]
    pairs: list[int]

    def images(self) -> list[slice]:
        """The rows of each image."""
        slices, start = [], 0
        for count in self.counts:
            slices.append(slice(start, start + count))
            start += count
        return slices

    def keep(self, stay: BoolArray, ended: list[bool]) -> None:
        """Leaves the rows that stay, (R,) bool, of the pairs that have not ended; the order remains."""
        images = self.images()
        self.pairs = [pair for pair, end in zip(self.pairs, ended, strict=True) if not end]
        if not self.pairs:
            self.counts = []
            return
        for p, end in enumerate(ended):
            if end:
                stay[images[2 * p].start : images[2 * p + 1].stop] = False
        counts = [int(np.count_nonzero(stay[rows])) for rows in images]
        self.counts = [count for i, count in enumerate(counts) if not ended[i // 2]]
        if sum(self.counts) < len(stay):
            chosen = np.flatnonzero(stay)
            self.kept = self.kept[chosen]
            rows = torch.from_numpy(chosen)
            self.states = self.states.index_select(0, rows)
            self.low = padded(self.states, self.low.dtype)
            self.encoding = self.encoding.index_select(1, rows)


def gather(images: list[tuple[Tensor, Tensor]], pairs: list[int], dtype: torch.dtype) -> Rows:
    """Puts images, two for each pair, each states (M, D) and encoding (2, M, C), into rows; nothing is shared."""
    counts = [len(states) for states, _ in images]
    states = torch.cat([states for states, _ in images])
    return Rows(
        states,
        padded(states, dtype),
        torch.cat([encoding for _, encoding in images], dim=1),
        np.concatenate([np.arange(count) for count in counts]),
        counts,
        pairs,
    )


def padded(states: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns states (R, D) in another type with zeros below, (R', D), R' the next multiple of `ROW_BLOCK`."""
    rows, dim = states.shape
    low = torch.zeros(-(-rows // ROW_BLOCK) * ROW_BLOCK, dim, dtype=dtype)
    low[:rows] = states
    return low
