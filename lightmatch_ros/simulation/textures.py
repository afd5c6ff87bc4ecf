# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Procedural textures: surfaces with detail at every scale that no two places share, from a seed."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import numpy as np

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.types import ByteArray
from lightmatch_ros.simulation.canvas import Canvas

TEXELS_PER_M = 320.0  # 3.1 mm a texel: one pixel of a 640-pixel wide camera at 1.6 m
MAX_SIDE = 32_766  # cv2.remap refuses images of SHRT_MAX and more


class Surface(enum.Enum):
    """The kinds of surface that can be painted."""

    PLASTER = "plaster"
    CONCRETE = "concrete"
    BRICKS = "bricks"
    PLANKS = "planks"
    MOSAIC = "mosaic"
    CEILING = "ceiling"
    POSTER = "poster"
    CRATE = "crate"


def texture(surface: Surface, size: tuple[int, int], seed: int, texels_per_m: float = TEXELS_PER_M) -> ByteArray:
    """Paints a surface.

    Args:
        surface: what to paint.
        size: (width, height), texels.
        seed: the same seed gives the same picture.
        texels_per_m: scale of the things painted (bricks, pages, letters).

    Returns:
        (height, width, 3) uint8, BGR.

    Raises:
        ConfigurationError: a size or scale that is out of range.
    """
    if not all(8 <= side <= MAX_SIDE for side in size):
        raise ConfigurationError(f"texture size: got {size}, wanted 8 to {MAX_SIDE} texels a side")
    if not (math.isfinite(texels_per_m) and texels_per_m > 0):
        raise ConfigurationError(f"texels_per_m: got {texels_per_m}, wanted a number above 0")
    rng = np.random.default_rng((seed, list(Surface).index(surface)))
    canvas = Canvas(np.zeros((size[1], size[0], 3), np.uint8), rng, texels_per_m)
    _PAINTERS[surface](canvas)
    return canvas.image


def _plaster(canvas: Canvas) -> None:
    canvas.fill(canvas.near((175, 195, 205), 20))
    canvas.grain(9, 1.0, 0.75)
    canvas.blobs(canvas.many(14), (0.004, 0.02))
    canvas.strokes(canvas.many(4), (0.03, 0.2), 0.006)
    canvas.cracks(canvas.many(1), 0.03)
    for _ in range(canvas.many(0.8)):
        canvas.page(canvas.box((0.21, 0.297)))
    for _ in range(canvas.many(0.35)):
        canvas.books(canvas.box((canvas.rng.uniform(0.7, 1.3), 0.26)))
    for _ in range(canvas.many(0.7)):
        canvas.poster(canvas.box(tuple(canvas.rng.uniform(0.35, 0.9, 2))))
    canvas.grain(3, 0.02)


def _concrete(canvas: Canvas) -> None:
    canvas.fill(canvas.near((140, 145, 150), 15))
    canvas.grain(16, 0.8, 0.8)
    canvas.cracks(canvas.many(1), 0.03)
    canvas.blobs(canvas.many(14), (0.003, 0.02))
    canvas.strokes(canvas.many(5), (0.03, 0.3), 0.008)
    for _ in range(canvas.many(1.6)):
        canvas.page(canvas.box((0.21, 0.297)))
    for _ in range(canvas.many(0.25)):
        canvas.poster(canvas.box(tuple(canvas.rng.uniform(0.4, 0.8, 2))))


def _bricks(canvas: Canvas) -> None:
    canvas.fill((150, 160, 165))
    canvas.courses((0.24, 0.075), canvas.near((70, 85, 150), 12), 26, 0.012)
    canvas.grain(12, 0.3, 0.85)
    canvas.polygons(canvas.many(0.6), (0.03, 0.2))
    canvas.blobs(canvas.many(3), (0.005, 0.03))
    for _ in range(canvas.many(0.4)):
        canvas.writing(canvas.box((0.9, 0.35)), 0.16, canvas.colour())
    for _ in range(canvas.many(0.25)):
        canvas.poster(canvas.box(tuple(canvas.rng.uniform(0.35, 0.8, 2))))


def _planks(canvas: Canvas) -> None:
    canvas.fill((25, 35, 45))
    canvas.courses((1.0, 0.14), canvas.near((80, 115, 155), 12), 22, 0.006)
    canvas.grain(9, 0.08, 0.8, stretch=8)
    canvas.blobs(canvas.many(3), (0.004, 0.018))
    canvas.strokes(canvas.many(3), (0.02, 0.2), 0.006)
    for _ in range(canvas.many(0.12)):
        canvas.poster(canvas.box(tuple(canvas.rng.uniform(0.7, 1.3, 2))))  # rugs
    for _ in range(canvas.many(0.4)):
        canvas.page(canvas.box((0.21, 0.297)))
    canvas.grain(5, 0.03, 0.8)


def _mosaic(canvas: Canvas) -> None:
    canvas.fill(canvas.near((150, 140, 130), 30))
    canvas.polygons(canvas.many(14), (0.05, 0.3))
    canvas.polygons(canvas.many(30), (0.01, 0.05))
    canvas.blobs(canvas.many(8), (0.01, 0.06))
    canvas.strokes(canvas.many(3), (0.1, 0.6), 0.02)
    canvas.grain(9, 0.5, 0.8)


def _ceiling(canvas: Canvas) -> None:
    canvas.fill((185, 190, 195))
    canvas.courses((1.2, 0.6), (205, 208, 210), 12, 0.01)
    canvas.grain(8, 0.6, 0.85)
    canvas.blobs(canvas.many(30), (0.004, 0.025))
    canvas.cracks(canvas.many(2), 0.03)
    canvas.strokes(canvas.many(6), (0.05, 0.6), 0.02)
    canvas.polygons(canvas.many(4), (0.02, 0.15))


def _poster(canvas: Canvas) -> None:
    canvas.poster((0, 0, *canvas.size))


def _crate(canvas: Canvas) -> None:
    canvas.fill((20, 28, 35))
    canvas.courses((2.0, 0.11), canvas.near((85, 125, 165), 25), 18, 0.006)
    canvas.grain(9, 0.06, 0.8, stretch=6)
    canvas.writing(canvas.box((0.4, 0.2)), 0.09, canvas.colour(0, 80))
    canvas.page(canvas.box((0.15, 0.11)))
    canvas.blobs(canvas.many(60), (0.004, 0.014))
    canvas.strokes(canvas.many(25), (0.03, 0.2), 0.008)


_PAINTERS: dict[Surface, Callable[[Canvas], None]] = {
    Surface.PLASTER: _plaster,
    Surface.CONCRETE: _concrete,
    Surface.BRICKS: _bricks,
    Surface.PLANKS: _planks,
    Surface.MOSAIC: _mosaic,
    Surface.CEILING: _ceiling,
    Surface.POSTER: _poster,
    Surface.CRATE: _crate,
}
