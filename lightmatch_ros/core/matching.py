# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The networks, the extractor's and the matcher's, that all cameras share."""

from __future__ import annotations

import logging
import time

import numpy as np

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.device import choose_device, limit_threads
from lightmatch_ros.core.extraction import Extracted, SharedExtractor, overlaps, usable_cores
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.image import load_mask
from lightmatch_ros.core.matcher import FeatureMatcher, create_matcher
from lightmatch_ros.core.types import ByteArray, Features

log = logging.getLogger(__name__)


class Matching:
    """The networks that all cameras share. One thread builds and runs it; `extract_ahead` may be on any other.

    Attributes:
        overlap: an image is better extracted while the one before it is matched.

    Raises:
        ConfigurationError: a device, weights or mask that cannot be had.
    """

    def __init__(self, config: MatcherConfig) -> None:
        self.config = config
        self.device = choose_device(config.device)
        limit_threads(config.threads)
        self.mask = load_mask(config.mask) if config.mask else None
        self.overlap = overlaps(config, self.device, usable_cores())
        self.extractor = SharedExtractor(create_extractor(config, self.device), self.device)
        self.matcher: FeatureMatcher = create_matcher(config, self.device)
        self.max_keypoints = config.max_keypoints

    def warm_up(self, size: tuple[int, int] = (640, 480)) -> float:
        """Runs the extractor on noise of (width, height) and the engine; returns the time that it took, s."""
        start = time.perf_counter()
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
        self.extractor.extract(noise)
        self.matcher.warm_up([self.config.max_keypoints])
        if self.matcher.engine.max_keypoints is not None:
            self.take_fewer(self.matcher.engine.max_keypoints)
        return time.perf_counter() - start

    def extract(self, image: ByteArray) -> Features:
        """Extracts the features of an image, outside the mask's ignored regions.

        Raises:
            ImageError: an image that cannot be used.
        """
        return self.take(self.extract_ahead(image))

    def extract_ahead(self, image: ByteArray) -> Extracted:
        """Extracts on any thread what `take` hands to the one that matches.

        Raises:
            ImageError: an image that cannot be used.
        """
        return self.extractor.extract(image, self.mask)

    def take(self, extracted: Extracted) -> Features:
        """Returns the best features, for use on this thread."""
        return extracted.take().best(self.max_keypoints)

    def take_fewer(self, count: int) -> None:
        """Keeps at most so many keypoints of an image from now on, since the device has no memory for more."""
        self.max_keypoints = max(1, min(self.max_keypoints, count))
        log.warning("at most %d keypoints an image from now on: no device memory for more", self.max_keypoints)
