# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The two decisions that adapt LightGlue to a pair: when to stop, which points to prune.

Source: LightGlue (ICCV 2023), section 3.3. Two notes on implementations in circulation, which this one does not
follow: without early stopping they prune points of low matchability even where the network is unsure of them (the
paper prunes confident points only); and once an image has lost all its points they run the layers that are left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# Values of points on a device, or on the host: the formulas are the same, and so are their float32 results.
Values = TypeVar("Values", Tensor, NDArray[Any])


@dataclass(frozen=True)
class Adaptivity:
    """How depth and width adapt.

    Attributes:
        depth_confidence: part of all points that must be confident to stop; 0 or less never stops.
        width_confidence: points of matchability up to 1 - width_confidence are pruned; 0 or less never prunes.
        min_points: an image with this many points or fewer is not pruned.
    """

    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    min_points: int = 0

    @property
    def stops(self) -> bool:
        """Early stopping is on."""
        return self.depth_confidence > 0

    @property
    def prunes(self) -> bool:
        """Pruning is on."""
        return self.width_confidence > 0

    @property
    def active(self) -> bool:
        """Either of the two is on."""
        return self.stops or self.prunes


FULL = Adaptivity(depth_confidence=-1, width_confidence=-1)


def confidence_threshold(layer: int, n_layers: int) -> float:
    """Returns the confidence above which a point counts as decided after a layer, counted from 0 (section 3.3)."""
    return 0.8 + 0.1 * math.exp(-4.0 * layer / n_layers)


def should_stop(confidences: Tensor, threshold: float, num_points: int, depth_confidence: float) -> Tensor:
    """Decides whether enough points are confident (eq. 10).

    Args:
        confidences: of the points of both images that are left, (M' + N',).
        threshold: from `confidence_threshold`.
        num_points: points before pruning, M + N: the pruned ones count as confident.
        depth_confidence: part that must be confident.

    Returns:
        bool tensor, ().
    """
    stop: Tensor = few_unsure((confidences < threshold).float().sum(), num_points, depth_confidence)
    return stop


def few_unsure(unsure: Tensor | np.float32, num_points: int, depth_confidence: float) -> Any:
    """Decides by the number of unconfident points as `should_stop` does; returns bool of the number's kind."""
    return 1.0 - unsure / num_points > depth_confidence


def points_to_keep(confidences: Values, matchability: Values, threshold: float, width_confidence: float) -> Values:
    """Decides which points stay: those that may match or that the network is unsure of.

    Args:
        confidences: (M,) in (0, 1), a tensor or an array of float32.
        matchability: (M,) in (0, 1), of the same type.
        threshold: from `confidence_threshold`.
        width_confidence: see `Adaptivity`.

    Returns:
        bool, (M,), of the same type.
    """
    return (matchability > 1 - width_confidence) | (confidences <= threshold)
