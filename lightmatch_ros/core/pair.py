# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Two images in, their matches out: the matcher for scripts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.types import ByteArray, FloatArray, Matches


@dataclass(frozen=True, eq=False)
class PairResult(Matches):
    """Matches of two images with the keypoints that they were found among.

    Attributes:
        keypoints0: (M, 2) float32, pixels of image 0.
        keypoints1: (N, 2) float32, pixels of image 1.
        extract_ms: wall time of both extractions, ms.
        match_ms: wall time of the matching, ms.
    """

    keypoints0: FloatArray
    keypoints1: FloatArray
    extract_ms: float
    match_ms: float


class PairMatcher:
    """Extracts and matches local features of two images. Not thread-safe.

    Args:
        config: what extracts and matches.

    Raises:
        ConfigurationError: a device, weights or mask that cannot be had.
    """

    def __init__(self, config: MatcherConfig | None = None) -> None:
        self.matching = Matching(config or MatcherConfig())

    def match(self, image0: ByteArray, image1: ByteArray) -> PairResult:
        """Matches two images, (H, W) or (H, W, 3) BGR, uint8, of any sizes.

        Raises:
            ImageError: an image that cannot be used.
        """
        started = time.perf_counter()
        features0, features1 = self.matching.extract(image0), self.matching.extract(image1)
        extracted = time.perf_counter()
        matches = self.matching.matcher.match(features0, features1)
        matched = time.perf_counter()
        return PairResult(
            **vars(matches),
            keypoints0=features0.keypoints,
            keypoints1=features1.keypoints,
            extract_ms=(extracted - started) * 1e3,
            match_ms=(matched - extracted) * 1e3,
        )
