# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What every engine does: prepare images, then match pairs of prepared images."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from lightmatch_ros.core.lightglue import Adaptivity, NetworkOutput, Points


class Precision(Enum):
    """Numbers that matrices are multiplied in; sums, norms and scores are float32 in either."""

    FP32 = "fp32"
    BF16 = "bf16"


class Prepared(ABC):
    """What an engine keeps of an image for matching it with any other; meaningful to that engine alone."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of points."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held beyond the points themselves, bytes."""


Own = TypeVar("Own", bound=Prepared)


def own(kind: type[Own], image: Prepared) -> Own:
    """Returns a prepared image as an engine's own kind.

    Raises:
        TypeError: another engine has prepared it.
    """
    if not isinstance(image, kind):
        raise TypeError(f"image prepared as {type(image).__name__}, wanted {kind.__name__}: by this engine")
    return image


class Engine(Protocol):
    """Runs a LightGlue network. Not thread-safe: one thread builds, warms up and runs it."""

    @property
    def name(self) -> str:
        """Such as "eager" or "compiled"."""

    @property
    def precision(self) -> Precision:
        """What matrices are multiplied in."""

    @property
    def compilations(self) -> int:
        """Programs compiled or captured so far; constant after `warm_up`."""

    @property
    def max_keypoints(self) -> int | None:
        """Points of an image that the device has memory for; None where that is not known to be a limit."""

    def prepare(self, images: Sequence[Points]) -> list[Prepared]:
        """Does for each image what does not depend on the other: worth keeping for a keyframe.

        Raises:
            ConfigurationError: points without the scales or orientations that the weights want.
        """

    def match(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> list[NetworkOutput]:
        """Matches pairs; each answer is what the pair alone would give.

        Args:
            pairs: image 0 (keyframe) and image 1 (current frame), of any and unequal numbers of points, also none.
            adaptivity: early stopping and pruning, decided for each pair.
            filter_threshold: smallest score of a match.

        Raises:
            ConfigurationError: adaptivity is asked for and the weights lack the heads that it needs.
        """

    def start(
        self, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> Callable[[], list[NetworkOutput]]:
        """Begins a `match` and returns what waits for its answers. Two may be under way."""

    def warm_up(self, counts: Sequence[int]) -> float:
        """Compiles what has to be compiled and runs images of these numbers of points; returns the time taken, s."""


class OnDemand:
    """For engines that have nothing to do a match beside: it is done when its answers are asked for."""

    def start(
        self: Engine, pairs: Sequence[tuple[Prepared, Prepared]], adaptivity: Adaptivity, filter_threshold: float
    ) -> Callable[[], list[NetworkOutput]]:
        """See `Engine.start`."""
        return functools.partial(self.match, pairs, adaptivity, filter_threshold)
