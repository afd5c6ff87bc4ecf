# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Images resized on their device, as `core.image.resample` does on the host."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.image import Size
from lightmatch_ros.core.types import FloatArray

# Pairs of sizes whose weights are kept; guess: more than the cameras of one node have.
MAX_SIZES = 8


class Resizer:
    """Resizes by two products of matrices. Differs from OpenCV by the rounding of its result to whole numbers.

    Not thread-safe; not yet measured on a GPU.

    Args:
        device: of the images.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._weights = functools.lru_cache(maxsize=MAX_SIZES)(self._make)

    def resize(self, image: Tensor, size: Size) -> Tensor:
        """Takes (..., H, W) float32 to another (width, height): area averages where it shrinks, else bilinear."""
        height, width = image.shape[-2:]
        if (width, height) == size:
            return image
        rows, columns = self._weights((width, height), size)
        return rows @ image @ columns.T

    def _make(self, original: Size, size: Size) -> tuple[Tensor, Tensor]:
        """Returns what the rows are multiplied by, (h, H), and the columns, (w, W)."""
        shrinks = size[0] <= original[0] and size[1] <= original[1]
        weights = area_weights if shrinks else linear_weights
        columns, rows = (upload(weights(*sides), self._device) for sides in zip(original, size, strict=True))
        return rows, columns


def area_weights(source: int, target: int) -> FloatArray:
    """Returns how much of each of its pixels a resized line takes, (target, source); target <= source."""
    step = source / target
    starts = np.arange(target)[:, None] * step
    pixels = np.arange(source)[None, :]
    shared = np.minimum(starts + step, pixels + 1) - np.maximum(starts, pixels)
    weights: FloatArray = (np.maximum(shared, 0) / step).astype(np.float32)
    return weights


def linear_weights(source: int, target: int) -> FloatArray:
    """Returns the weights between the two nearest pixels of a line, (target, source); beyond the border its pixel."""
    places = ((np.arange(target) + 0.5) * (source / target) - 0.5).clip(0, source - 1)
    distances = np.abs(places[:, None] - np.arange(source)[None, :])
    weights: FloatArray = np.maximum(1 - distances, 0).astype(np.float32)
    return weights
