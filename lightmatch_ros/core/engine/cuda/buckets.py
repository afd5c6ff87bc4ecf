# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which fixed shapes a match runs in: capacities, widths within a capacity, pairs in a launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lightmatch_ros.core.errors import ConfigurationError

# A capacity, its half and its quarter: below, a layer is bound by the number of its kernels, not by rows (guess).
MAX_WIDTHS = 3


@dataclass(frozen=True)
class Buckets:
    """Capacities, points of an image, ascending; a program is captured for each.

    Raises:
        ConfigurationError: none, not ascending, or less than 1.
    """

    capacities: tuple[int, ...] = (256, 512, 1024, 1536, 2048, 3072, 4096)

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.capacities))
        if not self.capacities or self.capacities[0] < 1 or not ascending:
            raise ConfigurationError(f"got capacities {self.capacities}, wanted ascending numbers >= 1")

    @property
    def largest(self) -> int:
        """Points that fit; a larger image runs uncaptured."""
        return self.capacities[-1]

    def fit(self, count: int) -> int | None:
        """Returns the smallest capacity that holds count points, None where none does."""
        return next((capacity for capacity in self.capacities if capacity >= count), None)

    def up_to(self, count: int) -> tuple[int, ...]:
        """Returns the capacities that images of at most count points can need."""
        last = self.fit(count) or self.largest
        return tuple(capacity for capacity in self.capacities if capacity <= last)

    def halved(self) -> Buckets:
        """Returns the capacities up to half of the largest, for a device without memory for more.

        Raises:
            ConfigurationError: the largest cannot be halved.
        """
        half = self.largest // 2
        if half < 1:
            raise ConfigurationError(f"capacities {self.capacities} cannot be halved")
        return Buckets((*(capacity for capacity in self.capacities if capacity < half), half))

    def widths(self, capacity: int) -> tuple[int, ...]:
        """Returns the rows that a capacity's layers can run on, descending: the capacity, its half, its quarter.

        Not below the smallest capacity.
        """
        halves = (capacity >> i for i in range(MAX_WIDTHS) if capacity % (1 << i) == 0)
        return tuple(width for width in halves if width == capacity or width >= self.capacities[0])


def level_for(widths: Sequence[int], needed: int) -> int:
    """Returns the index of the smallest of the descending widths that holds the needed rows."""
    return max(level for level, width in enumerate(widths) if width >= needed)


@dataclass(frozen=True)
class Launch:
    """Pairs that run together.

    Attributes:
        capacity: of each image.
        batch: pairs that the program is made for; those beyond the members are empty.
        members: which pairs, by index.
    """

    capacity: int
    batch: int
    members: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is done with each pair.

    Attributes:
        launches: pairs on the device's programs.
        empty: pairs of which an image has no points.
        too_large: pairs above the last capacity.
    """

    launches: tuple[Launch, ...]
    empty: tuple[int, ...]
    too_large: tuple[int, ...]


def plan(counts: Sequence[tuple[int, int]], buckets: Buckets, batches: Sequence[int]) -> Plan:
    """Sorts pairs into launches: pairs of one capacity share launches, the larger image decides.

    Args:
        counts: points of images 0 and 1 of each pair.
        buckets: capacities.
        batches: pairs that programs are made for, ascending.
    """
    empty, too_large = [], []
    groups: dict[int, list[int]] = {}
    for pair, (count0, count1) in enumerate(counts):
        capacity = buckets.fit(max(count0, count1))
        if not (count0 and count1):
            empty.append(pair)
        elif capacity is None:
            too_large.append(pair)
        else:
            groups.setdefault(capacity, []).append(pair)
    launches = [launch for capacity in sorted(groups) for launch in _launches(capacity, groups[capacity], batches)]
    return Plan(tuple(launches), tuple(empty), tuple(too_large))


def _launches(capacity: int, pairs: list[int], batches: Sequence[int]) -> list[Launch]:
    """The largest batches first, then the smallest that holds the rest."""
    launches = []
    while pairs:
        batch = next((b for b in batches if b >= len(pairs)), max(batches))
        launches.append(Launch(capacity, batch, tuple(pairs[:batch])))
        pairs = pairs[batch:]
    return launches
