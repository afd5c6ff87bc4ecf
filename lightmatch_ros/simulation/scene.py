# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A scene of textured rectangles, and a furnished room made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.types import ByteArray, DoubleArray
from lightmatch_ros.simulation.textures import MAX_SIDE, TEXELS_PER_M, Surface, texture

ROOM_SIZE_M = (6.0, 4.0, 3.0)
# Where the camera moves: nothing stands in |x|, |y| < these and LOW < z < HIGH.
FREE_HALF_X_M, FREE_HALF_Y_M, FREE_LOW_M, FREE_HIGH_M = 1.9, 1.1, 0.85, 2.3

_UP = (0.0, 0.0, 1.0)
_LAMPS = ((-1.6, 0.5, 2.5), (1.5, -0.6, 2.4))


@dataclass(frozen=True, eq=False)
class Quad:
    """A textured rectangle, seen from one side only.

    Convention: world frame, REP 103: z up, metres. ``u`` runs along the rows of the texture and ``v`` down
    its columns as seen from the side that is visible, so ``u x v`` points away from the viewer. The texture
    covers the rectangle edge to edge: texel centres lie at ((column + .5) / width, (row + .5) / height).

    Attributes:
        origin: (3,) float64, corner of the first texel.
        u: (3,) float64, edge along a row of the texture.
        v: (3,) float64, edge along a column of the texture.
        texture: (H, W, 3) uint8, BGR.

    Raises:
        ConfigurationError: not a rectangle, or not such a texture.
    """

    origin: DoubleArray
    u: DoubleArray
    v: DoubleArray
    texture: ByteArray

    def __post_init__(self) -> None:
        for name in ("origin", "u", "v"):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise ConfigurationError(f"quad {name}: got {value}, wanted three finite numbers")
            object.__setattr__(self, name, value)
        lengths = np.linalg.norm(self.u) * np.linalg.norm(self.v)
        if lengths == 0 or abs(self.u @ self.v) > 1e-6 * lengths:
            raise ConfigurationError(f"quad: got edges {self.u} and {self.v}, wanted two at a right angle")
        shape, dtype = self.texture.shape, self.texture.dtype
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or not 0 < min(shape) <= max(shape) <= MAX_SIDE:
            wanted = f"uint8 (H, W, 3) of at most {MAX_SIDE} texels a side"
            raise ConfigurationError(f"quad texture: got {dtype} {shape}, wanted {wanted}")

    @property
    def corners(self) -> DoubleArray:
        """(4, 3) float64, world, metres, around the rectangle."""
        u, v = self.u, self.v
        return np.stack([self.origin, self.origin + u, self.origin + u + v, self.origin + v])

    @property
    def forward(self) -> DoubleArray:
        """(3,) float64, unit normal, away from the viewer."""
        normal = np.cross(self.u, self.v)
        return np.asarray(normal / np.linalg.norm(normal))


@dataclass(frozen=True, eq=False)
class Scene:
    """What a `Renderer` draws: rectangles in the world frame."""

    quads: tuple[Quad, ...]


def facing(centre: ArrayLike, forward: ArrayLike, up: ArrayLike, size: tuple[float, float], picture: ByteArray) -> Quad:
    """Hangs up a picture.

    Args:
        centre: (3,) world, metres.
        forward: (3,) unit, from the viewer to the picture.
        up: (3,) unit, at a right angle to ``forward``.
        size: (width, height), metres.
        picture: (H, W, 3) uint8, BGR.
    """
    along, above = np.asarray(forward, np.float64), np.asarray(up, np.float64)
    right = np.cross(along, above)
    u, v = right * size[0], -above * size[1]
    return Quad(np.asarray(centre, np.float64) - u / 2 - v / 2, u, v, picture)


def room(seed: int = 0, texels_per_m: float = TEXELS_PER_M) -> Scene:
    """Builds a furnished room of 6 x 4 x 3 m; its floor is z = 0 and its middle x = y = 0.

    The furniture leaves the middle free: see FREE_HALF_X_M and its companions.

    Args:
        seed: gives the pictures and, within limits, the place of the furniture.
        texels_per_m: resolution of the textures.
    """
    painter = _Painter(np.random.default_rng(seed), texels_per_m)
    return Scene((*_walls(painter), *_furniture(painter)))


@dataclass(frozen=True)
class _Painter:
    """Paints each quad with a seed of its own, and lights it."""

    rng: np.random.Generator
    texels_per_m: float

    def hang(
        self, surface: Surface, centre: ArrayLike, forward: ArrayLike, up: ArrayLike, size: tuple[float, float]
    ) -> Quad:
        width, height = (max(8, round(metres * self.texels_per_m)) for metres in size)
        picture = texture(surface, (width, height), int(self.rng.integers(2**31)), self.texels_per_m)
        return _lit(facing(centre, forward, up, size, picture))

    def about(self, value: float, spread: float) -> float:
        return value + float(self.rng.uniform(-spread, spread))


def _lit(quad: Quad) -> Quad:
    """Multiplies a quad's texture by the light of the lamps (Lambert, no shadows)."""
    b, a = np.meshgrid(np.linspace(0, 1, 24), np.linspace(0, 1, 32), indexing="ij")
    points = quad.origin + a[..., None] * quad.u + b[..., None] * quad.v  # (24, 32, 3)
    gain = np.full(a.shape, 0.62)
    for lamp in _LAMPS:
        to_lamp = np.asarray(lamp) - points
        distance = np.linalg.norm(to_lamp, axis=-1)
        cosine = np.maximum(0, -(to_lamp @ quad.forward) / distance)
        gain += 0.9 * cosine / (1 + distance**2 / 2)
    height, width = quad.texture.shape[:2]
    fine = cv2.resize(gain.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    bright = cv2.multiply(quad.texture, cv2.cvtColor(fine, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U)
    return replace(quad, texture=np.asarray(bright, np.uint8))


def _walls(painter: _Painter) -> list[Quad]:
    x, y, z = ROOM_SIZE_M
    return [
        painter.hang(Surface.BRICKS, (x / 2, 0, z / 2), (1, 0, 0), _UP, (y, z)),
        painter.hang(Surface.CONCRETE, (-x / 2, 0, z / 2), (-1, 0, 0), _UP, (y, z)),
        painter.hang(Surface.PLASTER, (0, y / 2, z / 2), (0, 1, 0), _UP, (x, z)),
        painter.hang(Surface.MOSAIC, (0, -y / 2, z / 2), (0, -1, 0), _UP, (x, z)),
        painter.hang(Surface.PLANKS, (0, 0, 0), (0, 0, -1), (0, 1, 0), (x, y)),
        painter.hang(Surface.CEILING, (0, 0, z), (0, 0, 1), (0, 1, 0), (x, y)),
    ]


def _furniture(painter: _Painter) -> list[Quad]:
    """Pillars, crates, panels and a beam around the free middle, low crates and a table inside it."""
    about, crate, poster = painter.about, Surface.CRATE, Surface.POSTER
    return [
        *_box(painter, Surface.BRICKS, (about(2.35, 0.1), about(-1.45, 0.1), 1.5), (0.3, 0.3, 3.0), 0),
        *_box(painter, Surface.CONCRETE, (about(-2.3, 0.1), about(1.5, 0.1), 1.5), (0.35, 0.35, 3.0), 0),
        *_box(painter, crate, (about(2.5, 0.1), about(0.1, 0.2), 0.4), (0.7, 0.9, 0.8), about(0, 0.2)),
        *_box(painter, crate, (about(2.55, 0.1), about(0.1, 0.2), 1.0), (0.5, 0.5, 0.4), about(0, 0.4)),
        *_box(painter, Surface.MOSAIC, (about(0.9, 0.3), 1.7, 0.9), (0.9, 0.5, 1.8), 0),
        *_box(painter, crate, (about(-0.9, 0.2), 1.65, 0.35), (0.8, 0.6, 0.7), about(0, 0.1)),
        *_box(painter, Surface.PLASTER, (about(-0.8, 0.4), -1.7, 0.6), (1.3, 0.45, 1.2), 0),
        *_box(painter, poster, (about(0.9, 0.3), -1.6, 0.3), (0.6, 0.6, 0.6), about(0, 0.2)),
        *_box(painter, poster, (about(-2.55, 0.1), about(-0.2, 0.2), 0.7), (0.5, 0.8, 1.4), about(0, 0.2)),
        *_box(painter, crate, (about(0.3, 0.4), about(0.1, 0.3), 0.3), (0.8, 0.6, 0.6), about(0, 0.8)),
        *_box(painter, crate, (about(-0.8, 0.3), about(-0.2, 0.2), 0.2), (0.4, 0.4, 0.4), about(0, 0.8)),
        *_box(painter, Surface.PLANKS, (about(-0.9, 0.3), 0, 2.85), (0.25, 4.0, 0.3), 0),
        *_panel(painter, (about(2.35, 0.08), 1.35, 0.95), (0.8, 1.7), about(0.6, 0.3)),
        *_panel(painter, (about(-2.4, 0.08), -1.4, 0.95), (0.8, 1.6), about(2.4, 0.3)),
        *_panel(painter, (about(1.4, 0.3), 0, 2.65), (0.9, 0.5), about(0.3, 0.5)),
    ]


def _box(
    painter: _Painter, surface: Surface, centre: Sequence[float], size: tuple[float, float, float], yaw: float
) -> list[Quad]:
    """The five or six faces of an upright box; one that stands on the floor has no underside."""
    half_x, half_y, half_z = (s / 2 for s in size)
    x, y = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([-np.sin(yaw), np.cos(yaw), 0])
    z, middle = np.array(_UP), np.asarray(centre, np.float64)
    sides = [(half_x * x, size[1], size[2], z), (-half_x * x, size[1], size[2], z)]
    sides += [(half_y * y, size[0], size[2], z), (-half_y * y, size[0], size[2], z)]
    lids = [side * half_z * z for side in (1, -1) if 1e-6 < middle[2] + side * half_z < ROOM_SIZE_M[2] - 1e-6]
    sides += [(lid, size[0], size[1], y) for lid in lids]
    return [
        painter.hang(surface, middle + out, -out / np.linalg.norm(out), up, (width, height))
        for out, width, height, up in sides
    ]


def _panel(painter: _Painter, centre: Sequence[float], size: tuple[float, float], yaw: float) -> list[Quad]:
    """A thin panel with a picture on either side."""
    normal = np.array([np.cos(yaw), np.sin(yaw), 0])
    return [painter.hang(Surface.POSTER, centre, sign * normal, _UP, size) for sign in (1, -1)]
