# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The match picture: two images side by side and lines between their matches."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from lightmatch_ros.core.types import BoolArray, ByteArray, FloatArray

OUTLIER_BGR = (70, 70, 200)
SHIFT = 4  # OpenCV draws at fractions of a pixel: 4 bits
TEXT_SCALE = 0.5


def draw_matches(
    image0: ByteArray,
    image1: ByteArray,
    points0: FloatArray,
    points1: FloatArray,
    inliers: BoolArray,
    lines: Sequence[str] = (),
    max_lines: int = 300,
) -> ByteArray:
    """Draws image 0 on the left, image 1 on the right and a line for each match.

    Args:
        image0, image1: (H, W) or (H, W, 3) BGR, uint8, of any two sizes.
        points0, points1: (K, 2) pixels of each image.
        inliers: (K,) inliers get a colour by their place in image 0, the others a thin red line beneath them.
        lines: text for the upper left corner.
        max_lines: most matches drawn, evenly chosen.

    Returns:
        (max(H0, H1), W0 + W1, 3) BGR, uint8.
    """
    canvas = side_by_side(image0, image1)
    offset = np.array([image0.shape[1], 0], np.float32)
    chosen = np.linspace(0, len(points0) - 1, min(len(points0), max_lines)).round().astype(int)
    chosen = chosen[np.argsort(inliers[chosen], kind="stable")]  # inliers on top
    colours = place_colours(points0, image0.shape[1], image0.shape[0])
    for k in chosen:
        colour = tuple(map(int, colours[k])) if inliers[k] else OUTLIER_BGR
        _line(canvas, points0[k], points1[k] + offset, colour, dots=bool(inliers[k]))
    return write_lines(canvas, lines)


def side_by_side(image0: ByteArray, image1: ByteArray) -> ByteArray:
    """Both images in colour, next to each other on black."""
    left, right = to_bgr(image0), to_bgr(image1)
    canvas = np.zeros((max(left.shape[0], right.shape[0]), left.shape[1] + right.shape[1], 3), np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: right.shape[0], left.shape[1] :] = right
    return canvas


def to_bgr(image: ByteArray) -> ByteArray:
    """(H, W) or (H, W, 3) as (H, W, 3)."""
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def place_colours(points: FloatArray, width: int, height: int) -> ByteArray:
    """Colours (K, 3) BGR that change smoothly over the image, so that crossing lines show."""
    hue = (points[:, 0] / max(width, 1) * 150).clip(0, 179)
    value = 150 + 105 * (points[:, 1] / max(height, 1)).clip(0, 1)
    hsv = np.stack([hue, np.full_like(hue, 220), value], 1).astype(np.uint8)
    if not len(hsv):
        return np.zeros((0, 3), np.uint8)
    return np.asarray(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2BGR)[0], np.uint8)


def write_lines(canvas: ByteArray, lines: Sequence[str]) -> ByteArray:
    """Writes text on black into the upper left corner; returns the canvas."""
    for row, text in enumerate(lines):
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)
        x, y = 8, 20 + 20 * row
        cv2.rectangle(canvas, (x - 4, y - height - 3), (x + width + 4, y + below), (0, 0, 0), -1)
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def _line(canvas: ByteArray, start: FloatArray, end: FloatArray, colour: tuple[int, ...], dots: bool) -> None:
    a, b = (tuple(int(v) for v in np.round(p * 2**SHIFT)) for p in (start, end))
    cv2.line(canvas, a, b, colour, 1, cv2.LINE_AA, SHIFT)
    if dots:
        for point in (a, b):
            cv2.circle(canvas, point, 2 << SHIFT, colour, -1, cv2.LINE_AA, SHIFT)
