# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Images on their way to an extractor: checked, shrunk, and the way back for points.

Convention: sizes are (width, height); pixel centre = integer, x right, y down; colour is BGR. A point k of an image
that was resized by 1/s is (k + .5) * s - .5 in the original, with s for each axis from the integer sizes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lightmatch_ros.core.errors import ConfigurationError, ImageError
from lightmatch_ros.core.types import BoolArray, ByteArray, FloatArray

Size = tuple[int, int]


def check_image(image: Any) -> ByteArray:
    """Returns the image, contiguous.

    Args:
        image: wanted (H, W) or (H, W, 3) uint8, H and W >= 1.

    Raises:
        ImageError: anything else, with what it is.
    """
    wanted = "wanted (H, W) or (H, W, 3) uint8"
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image is a {type(image).__name__}, {wanted} numpy array")
    if image.dtype != np.uint8:
        raise ImageError(f"image of {image.dtype}, {wanted}")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or image.size == 0:
        raise ImageError(f"image of shape {image.shape}, {wanted}, not empty")
    return np.ascontiguousarray(image)


def size_of(image: ByteArray) -> Size:
    """Returns (width, height) of an image."""
    return image.shape[1], image.shape[0]


def to_gray(image: ByteArray) -> ByteArray:
    """Returns (H, W) of an image that is (H, W) or (H, W, 3) BGR; the weights are those of ITU-R BT.601."""
    if image.ndim == 2:
        return image
    gray: ByteArray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return gray


def to_rgb(image: ByteArray) -> ByteArray:
    """Returns (H, W, 3) RGB of an image that is (H, W) or (H, W, 3) BGR."""
    code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    rgb: ByteArray = cv2.cvtColor(image, code)
    return rgb


def shrunk_size(size: Size, longer_side: int) -> Size:
    """Returns the size after the longer side is shrunk to a limit; never enlarged; 0 = no limit."""
    longest = max(size)
    if longer_side == 0 or longest <= longer_side:
        return size
    width, height = (max(1, round(side * longer_side / longest)) for side in size)
    return width, height


def resample(image: ByteArray, size: Size) -> ByteArray:
    """Returns the image in another size; area averages where it shrinks, so that nothing aliases."""
    if size == size_of(image):
        return image
    shrinks = size[0] <= image.shape[1] and size[1] <= image.shape[0]
    resized: ByteArray = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized


def to_original(points: NDArray[np.floating[Any]], size: Size, original: Size) -> FloatArray:
    """Takes points of a resized image back to the original.

    Args:
        points: (M, 2), pixels of the image of ``size``.
        size: of the resized image.
        original: size of the original image.

    Returns:
        (M, 2) float32, pixels of the original; see the module for the convention.
    """
    if size == original:
        return points.astype(np.float32)
    scale = np.divide(original, size)
    return ((points + 0.5) * scale - 0.5).astype(np.float32)


def load_mask(path: str) -> ByteArray:
    """Reads the regions to ignore, (H, W) uint8, 0 = ignore.

    Raises:
        ConfigurationError: no such file, or not an 8 bit image.
    """
    mask = cv2.imread(path, cv2.IMREAD_UNCHANGED) if Path(path).is_file() else None
    if mask is None:
        raise ConfigurationError(f"mask {path!r} cannot be read, wanted an image file")
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ConfigurationError(f"mask {path!r} is {mask.dtype} of shape {mask.shape}, wanted 8 bit grey")
    read: ByteArray = mask
    return read


def check_mask(mask: Any, size: Size) -> ByteArray:
    """Returns the mask of an image.

    Raises:
        ImageError: not (H, W) uint8, or not of the image's size.
    """
    checked = check_image(mask)
    if checked.ndim != 2 or size_of(checked) != size:
        raise ImageError(f"mask of shape {checked.shape}, wanted {(size[1], size[0])} as the image")
    return checked


def inside_mask(mask: ByteArray, points: FloatArray) -> BoolArray:
    """Returns which points fall on a pixel that is not 0, (M,).

    Args:
        mask: (H, W) uint8, of the original image's size.
        points: (M, 2), pixels of the original image; up to half a pixel outside counts to the border.
    """
    nearest = np.rint(points).astype(np.intp)
    x = nearest[:, 0].clip(0, mask.shape[1] - 1)
    y = nearest[:, 1].clip(0, mask.shape[0] - 1)
    return np.asarray(mask[y, x] != 0)
