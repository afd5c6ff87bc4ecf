# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The values that pass between the stages: features in, matches out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ByteArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of one image, best score first.

    Convention: pixels of the image as it came in (not of the resized one), x right, y down,
    pixel centre = integer.

    Attributes:
        name: extractor that made them, such as "sift".
        image_size: (width, height) of the image, pixels.
        keypoints: (M, 2) float32, pixels, on the host.
        scores: (M,) float32, detection score, unit of the extractor, descending.
        descriptors: (M, D) float32 tensor on the matcher's device.
        scales: (M,) float32, pixels, or None where the extractor has none.
        orientations: (M,) float32, radians, or None where the extractor has none.
    """

    name: str
    image_size: tuple[int, int]
    keypoints: FloatArray
    scores: FloatArray
    descriptors: torch.Tensor
    scales: FloatArray | None = None
    orientations: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    def best(self, count: int) -> Features:
        """Returns the best so many, itself where there are no more."""
        if len(self) <= count:
            return self

        def first(array: FloatArray | None) -> FloatArray | None:
            return None if array is None else array[:count]

        return Features(
            self.name,
            self.image_size,
            self.keypoints[:count],
            self.scores[:count],
            self.descriptors[:count],
            first(self.scales),
            first(self.orientations),
        )

    @property
    def nbytes(self) -> int:
        """Memory held, bytes, host and device together."""
        arrays = [self.keypoints, self.scores, self.scales, self.orientations]
        host = sum(a.nbytes for a in arrays if a is not None)
        return host + self.descriptors.numel() * self.descriptors.element_size()


@dataclass(frozen=True, eq=False)
class Matches:
    """Correspondences between two images, in the order of ``indices0``.

    Attributes:
        points0: (K, 2) float32, pixels of image 0 (keyframe).
        points1: (K, 2) float32, pixels of image 1 (current frame).
        scores: (K,) float32 in (0, 1].
        indices0: (K,) int64 into the keypoints of image 0.
        indices1: (K,) int64 into the keypoints of image 1.
        num_keypoints0: keypoints of image 0.
        num_keypoints1: keypoints of image 1.
        stop_layer: layers that ran, 0 where an image had no keypoints.
        kept_ratio: part of all keypoints that was not pruned, 0 to 1.
    """

    points0: FloatArray
    points1: FloatArray
    scores: FloatArray
    indices0: IndexArray
    indices1: IndexArray
    num_keypoints0: int
    num_keypoints1: int
    stop_layer: int
    kept_ratio: float

    def __len__(self) -> int:
        return len(self.scores)
