# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What every extractor does around its detector: shrinking, the choice of the keypoints that stay, the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lightmatch_ros.core.image import Size, check_image, check_mask, inside_mask, shrunk_size, size_of, to_original
from lightmatch_ros.core.types import ByteArray, Features, FloatArray, IndexArray


class Extractor(Protocol):
    """Finds local features in an image. Not thread-safe; keeps nothing from one image to the next."""

    @property
    def name(self) -> str:
        """As in the configuration, such as "sift"."""

    @property
    def descriptor_dim(self) -> int:
        """Numbers in a descriptor."""

    def extract(self, image: ByteArray, mask: ByteArray | None = None) -> Features:
        """Returns the best features of an image; none in an image without structure.

        Args:
            image: (H, W), or (H, W, 3) BGR, uint8; any size.
            mask: (H, W) uint8, 0 where no keypoint may be; it takes away before the best are chosen.

        Raises:
            ImageError: an image or mask of another type or shape.
        """


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector found in the resized image, in any order.

    Attributes:
        keypoints: (M, 2) float32, pixels of the resized image.
        scores: (M,) float32.
        describe: takes the indices of the keypoints that stay, (N,), to their descriptors, (N, D) on the device.
        scales: (M,) float32, pixels of the resized image, or None.
        orientations: (M,) float32, radians, or None.
    """

    keypoints: FloatArray
    scores: FloatArray
    describe: Callable[[IndexArray], Tensor]
    scales: FloatArray | None = None
    orientations: FloatArray | None = None


class ResizingExtractor(ABC):
    """An `Extractor` around a detector of one image size after the other.

    Args:
        device: where networks run and descriptors go.
        max_keypoints: most keypoints of an image.
        resize: longer side that images are shrunk to, pixels; 0 = as they are.
    """

    name: str
    descriptor_dim: int

    def __init__(self, device: torch.device, max_keypoints: int, resize: int) -> None:
        self._device = device
        self._max_keypoints = max_keypoints
        self._resize = resize

    def extract(self, image: ByteArray, mask: ByteArray | None = None) -> Features:
        """See `Extractor.extract`. Scales are in pixels of the original image."""
        image = check_image(image)
        original = size_of(image)
        size = self._working_size(original)
        found = self._detect(image, size, masked=mask is not None)
        keypoints = to_original(found.keypoints, size, original)
        chosen = choose(keypoints, found.scores, mask, original, self._max_keypoints)
        return Features(
            name=self.name,
            image_size=original,
            keypoints=keypoints[chosen],
            scores=found.scores[chosen],
            descriptors=found.describe(chosen),
            scales=None if found.scales is None else found.scales[chosen] * _mean_scale(size, original),
            orientations=None if found.orientations is None else found.orientations[chosen],
        )

    def _working_size(self, original: Size) -> Size:
        """Returns the size that the detector sees."""
        return shrunk_size(original, self._resize)

    @abstractmethod
    def _detect(self, image: ByteArray, size: Size, *, masked: bool) -> Detection:
        """Detects in the image resized to ``size``; of a masked one, more than the budget has to be found."""


def choose(
    keypoints: FloatArray, scores: FloatArray, mask: ByteArray | None, size: Size, max_keypoints: int
) -> IndexArray:
    """Returns the indices of the keypoints that stay, best score first; equal scores keep their order.

    Args:
        keypoints: (M, 2), pixels of the original image.
        scores: (M,).
        mask: see `Extractor.extract`.
        size: (width, height) of the original image.
        max_keypoints: most that stay.

    Raises:
        ImageError: a mask that does not fit the image.
    """
    allowed = np.arange(len(scores))
    if mask is not None:
        allowed = np.flatnonzero(inside_mask(check_mask(mask, size), keypoints))
    order = np.argsort(-scores[allowed], kind="stable")
    return allowed[order[:max_keypoints]].astype(np.int64)


def _mean_scale(size: Size, original: Size) -> np.float32:
    """Geometric mean over the axes of how many original pixels a resized one covers."""
    return np.float32(np.sqrt(original[0] / size[0] * original[1] / size[1]))
