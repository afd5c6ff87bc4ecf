# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The reference network behind the engines' interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightmatch_ros.core.engine.interface import OnDemand, Precision, Prepared, own
from lightmatch_ros.core.engine.random_points import match_random
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points


@dataclass(frozen=True, eq=False)
class EagerPrepared(Prepared):
    """The points as they came."""

    points: Points

    def __len__(self) -> int:
        return len(self.points)

    @property
    def nbytes(self) -> int:
        """See `Prepared.nbytes`."""
        return 0


class EagerEngine(OnDemand):
    """Runs the network as it is written, pair after pair, in float32, on any device; keeps nothing of an image.

    Args:
        network: on the device where the points will be.
    """

    name = "eager"
    precision = Precision.FP32
    compilations = 0
    max_keypoints = None

    def __init__(self, network: LightGlue) -> None:
        self._network = network

    def prepare(self, images: Sequence[Points]) -> list[Prepared]:
        """See `Engine.prepare`."""
        return [EagerPrepared(points) for points in images]

    def match(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> list[NetworkOutput]:
        """See `Engine.match`."""
        points = [(own(EagerPrepared, image0).points, own(EagerPrepared, image1).points) for image0, image1 in pairs]
        return [self._network(points0, points1, adaptivity, filter_threshold) for points0, points1 in points]

    def warm_up(self, counts: Sequence[int]) -> float:
        """See `Engine.warm_up`."""
        return match_random(self, self._network, counts)
