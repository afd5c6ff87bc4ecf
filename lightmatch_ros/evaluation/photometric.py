# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What happens to a picture between the scene and the matcher: light, lens, sensor, compression, things in the way."""

from __future__ import annotations

import cv2
import numpy as np

from lightmatch_ros.core.types import BoolArray, ByteArray, FloatArray


def degrade(rng: np.random.Generator, image: ByteArray, strength: float) -> ByteArray:
    """Applies random changes of light, focus, motion, noise and compression.

    Args:
        rng: source of randomness.
        image: (H, W) uint8.
        strength: 0 (nothing changes) to 1 (all that is in store).

    Returns:
        (H, W) uint8.
    """
    if strength <= 0:
        return image
    x = np.asarray(image / np.float32(255), np.float32)
    if rng.uniform() < 0.4 * strength:
        x = shade(rng, x)
    if rng.uniform() < 0.35 * strength:
        x = defocus(x, float(rng.uniform(0.4, 1.6)) * strength)
    if rng.uniform() < 0.3 * strength:
        x = motion_blur(x, 1 + float(rng.uniform(1, 7)) * strength, float(rng.uniform(0, np.pi)))
    x = expose(rng, x, strength)
    x = sensor_noise(rng, x, float(rng.uniform(0, 0.035)) * strength)
    out = np.asarray(np.clip(x * 255 + 0.5, 0, 255), np.uint8)
    return jpeg(out, int(rng.integers(35, 95))) if rng.uniform() < 0.5 * strength else out


def expose(rng: np.random.Generator, x: FloatArray, strength: float) -> FloatArray:
    """Gamma 2^(+-0.7), gain 2^(+-0.8), and an offset of up to 0.1, each scaled by the strength; may clip."""
    gamma, gain = 2.0 ** (rng.uniform(-0.7, 0.7) * strength), 2.0 ** (rng.uniform(-0.8, 0.6) * strength)
    offset = rng.uniform(-0.1, 0.1) * strength
    exposed = np.clip(np.power(np.clip(x, 0, 1), np.float32(gamma)) * gain + offset, 0, 1)
    return np.asarray(exposed, np.float32)


def sensor_noise(rng: np.random.Generator, x: FloatArray, sigma: float) -> FloatArray:
    """Adds Gaussian noise, sigma in units of full scale, weaker in the dark (shot noise)."""
    noise = rng.standard_normal(x.shape, np.float32)
    return np.asarray(x + noise * np.float32(sigma) * np.sqrt(0.3 + 0.7 * np.clip(x, 0, 1)), np.float32)


def defocus(x: FloatArray, sigma_px: float) -> FloatArray:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(x, (0, 0), max(sigma_px, 1e-3)), np.float32)


def motion_blur(x: FloatArray, length_px: float, direction_rad: float) -> FloatArray:
    """Blur along a straight line."""
    half = int(np.ceil(length_px / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    step = np.array([np.cos(direction_rad), np.sin(direction_rad)]) * length_px / 2
    ends = [tuple(round(float(half + sign * s) * 16) for s in step) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(cv2.filter2D(x, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), np.float32)


def shade(rng: np.random.Generator, x: FloatArray) -> FloatArray:
    """Darkens a polygon with a soft border to 35 - 80 %, or adds a gradient of light across the picture."""
    h, w = x.shape
    if rng.uniform() < 0.5:
        direction = rng.uniform(-1, 1, 2)
        ramp = np.add.outer(np.linspace(-1, 1, h) * direction[1], np.linspace(-1, 1, w) * direction[0])
        return np.asarray(x * np.exp(0.7 * ramp), np.float32)
    mask = np.asarray(polygon_mask(rng, (h, w), float(rng.uniform(0.3, 0.9))), np.float32)
    mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 12)))
    return np.asarray(x * (1 - mask * np.float32(rng.uniform(0.2, 0.65))), np.float32)


def jpeg(image: ByteArray, quality: int) -> ByteArray:
    """Compresses and decompresses."""
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def polygon_mask(rng: np.random.Generator, shape: tuple[int, int], size: float) -> BoolArray:
    """Returns a random polygon, True inside.

    Args:
        rng: source of randomness.
        shape: (H, W).
        size: diameter relative to the shorter side.
    """
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(0.3, 1, corners) * size * min(shape) / 2
    centre = rng.uniform(0, 1, 2) * (shape[1], shape[0])
    points = centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask.astype(np.bool_)


def occlude(rng: np.random.Generator, image: ByteArray, other: ByteArray) -> tuple[ByteArray, BoolArray]:
    """Covers one to three polygons with parts of another picture.

    Args:
        rng: source of randomness.
        image: (H, W) uint8.
        other: (H', W') uint8, any size.

    Returns:
        The picture (H, W) uint8, and the mask (H, W) of what is covered.
    """
    shape = (image.shape[0], image.shape[1])
    mask = np.zeros(shape, np.bool_)
    for _ in range(int(rng.integers(1, 4))):
        mask |= polygon_mask(rng, shape, float(rng.uniform(0.15, 0.7)))
    cover = cv2.resize(other, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.where(mask, cover, image), mask
