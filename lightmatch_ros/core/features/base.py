# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What every extractor does, and the choice of the keypoints that stay."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lightmatch_ros.core.image import check_mask, inside_mask
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


def choose(
    keypoints: FloatArray, scores: FloatArray, mask: ByteArray | None, size: tuple[int, int], max_keypoints: int
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
