# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Strokes, shapes and writing at random places of a picture: what the textures are painted with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lightmatch_ros.core.types import ByteArray, FloatArray

Colour = tuple[float, float, float]
Box = tuple[int, int, int, int]  # x, y, width, height, texels


def noise(size: tuple[int, int], rng: np.random.Generator, coarsest: float, persistence: float = 0.6) -> FloatArray:
    """Sums random grids of halving cell size.

    Args:
        size: (width, height), texels.
        rng: source of the grids.
        coarsest: cell size of the coarsest grid, texels.
        persistence: amplitude of a grid relative to the next coarser one.

    Returns:
        (height, width) float32, mean about 0, standard deviation 1.
    """
    width, height = size
    total = np.zeros((height, width), np.float32)
    cell, amplitude = float(coarsest), 1.0
    while cell >= 1:
        grid = rng.standard_normal((int(height / cell) + 2, int(width / cell) + 2), np.float32)
        total += amplitude * cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
        cell, amplitude = cell / 2, amplitude * persistence
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6), np.float32)


@dataclass
class Canvas:
    """A picture in the making.

    Attributes:
        image: (H, W, 3) uint8, BGR; a part of a larger picture where a poster is painted on a wall.
        rng: source of everything random.
        scale: texels for a metre.
    """

    image: ByteArray
    rng: np.random.Generator
    scale: float

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), texels."""
        return self.image.shape[1], self.image.shape[0]

    def texels(self, metres: float) -> int:
        """A length in texels, at least 1."""
        return max(1, round(metres * self.scale))

    def colour(self, low: float = 10, high: float = 245) -> Colour:
        """A random colour."""
        vivid = self.rng.uniform(low, high, 3)
        b, g, r = vivid + self.rng.uniform(0.1, 0.7) * (vivid.mean() - vivid)  # paint is seldom pure
        return (b, g, r)

    def near(self, colour: Colour, spread: float) -> Colour:
        """A random colour about the given one."""
        shift = self.rng.normal(0, spread) + self.rng.normal(0, spread / 3, 3)
        b, g, r = np.clip(np.array(colour) + shift, 0, 255)
        return (b, g, r)

    def part(self, box: Box) -> Canvas:
        """A canvas that paints on a part of this one."""
        x, y, width, height = box
        return Canvas(self.image[y : y + height, x : x + width], self.rng, self.scale)

    def fill(self, colour: Colour) -> None:
        """One colour all over."""
        self.image[:] = colour

    def grain(self, strength: float, coarsest_m: float, persistence: float = 0.6, stretch: float = 1) -> None:
        """Varies the brightness by noise, ``stretch`` times longer in x than in y."""
        width, height = self.size
        field = noise((max(8, int(width / stretch)), height), self.rng, self.texels(coarsest_m), persistence)
        field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
        gain = cv2.cvtColor(strength * field, cv2.COLOR_GRAY2BGR)
        self.image[:] = cv2.add(self.image, gain, dtype=cv2.CV_8U)

    def box(self, size_m: tuple[float, float]) -> Box:
        """A random place for something of that size, cut to fit."""
        width, height = (min(self.texels(m), side) for m, side in zip(size_m, self.size, strict=True))
        x, y = (int(self.rng.integers(0, side - s + 1)) for s, side in zip((width, height), self.size, strict=True))
        return (x, y, width, height)

    def point(self) -> tuple[int, int]:
        """A random place."""
        x, y = self.rng.uniform((0, 0), self.size)
        return int(x), int(y)

    def blobs(self, count: int, radius_m: tuple[float, float]) -> None:
        """Filled ellipses."""
        for _ in range(count):
            axes = tuple(self.texels(m) for m in self.rng.uniform(*radius_m, 2))
            angle = self.rng.uniform(0, 180)
            cv2.ellipse(self.image, self.point(), axes, angle, 0, 360, self.colour(), cv2.FILLED, cv2.LINE_AA)

    def polygons(self, count: int, radius_m: tuple[float, float]) -> None:
        """Filled star-shaped polygons with 3 to 7 corners."""
        for _ in range(count):
            corners = int(self.rng.integers(3, 8))
            angles = np.sort(self.rng.uniform(0, 2 * np.pi, corners))
            radii = self.rng.uniform(*radius_m, corners) * self.scale
            offsets = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)  # (corners, 2)
            outline = (offsets + self.point()).astype(np.int32)
            cv2.fillPoly(self.image, [outline], self.colour(), cv2.LINE_AA)

    def strokes(self, count: int, length_m: tuple[float, float], thickness_m: float) -> None:
        """Straight scratches in any direction."""
        for _ in range(count):
            angle, length = self.rng.uniform(0, np.pi), self.rng.uniform(*length_m) * self.scale
            x, y = self.point()
            end = (int(x + length * math.cos(angle)), int(y + length * math.sin(angle)))
            width = self.texels(self.rng.uniform(0.3, 1) * thickness_m)
            cv2.line(self.image, (x, y), end, self.colour(), width, cv2.LINE_AA)

    def cracks(self, count: int, step_m: float) -> None:
        """Dark random walks."""
        for _ in range(count):
            turns = np.cumsum(self.rng.normal(0, 0.5, 40)) + self.rng.uniform(0, 2 * np.pi)
            steps = np.stack([np.cos(turns), np.sin(turns)], 1) * step_m * self.scale
            path = (np.cumsum(steps, 0) + self.point()).astype(np.int32)
            cv2.polylines(self.image, [path], False, self.colour(10, 80), self.texels(0.004), cv2.LINE_AA)

    def writing(self, box: Box, height_m: float, colour: Colour) -> None:
        """Lines of glyphs, each made of strokes between the nodes of a 3 x 4 grid."""
        x0, y0, width, height = box
        tall = max(4, self.texels(height_m))
        wide = max(3, round(tall * 0.62))
        paths: list[NDArray[np.int32]] = []
        for y in range(y0, y0 + height - tall, round(tall * 1.7)):
            right = x0 + int(width * self.rng.uniform(0.55, 1))
            for x in range(x0, right - wide, round(wide * 1.45)):
                if self.rng.random() > 0.15:  # the rest are spaces
                    nodes = self.rng.integers(0, (3, 4), (int(self.rng.integers(3, 6)), 2))
                    paths.append((nodes * ((wide - 1) / 2, (tall - 1) / 3) + (x, y)).astype(np.int32))
        cv2.polylines(self.image, paths, False, colour, max(1, tall // 7), cv2.LINE_AA)

    def poster(self, box: Box) -> None:
        """A framed picture with shapes and writing."""
        canvas = self.part(box)
        width, height = box[2:]
        canvas.fill(self.colour(90, 250))
        canvas.grain(18, 0.3)
        side = min(width, height) / self.scale
        canvas.polygons(int(self.rng.integers(4, 10)), (0.05 * side, 0.3 * side))
        canvas.blobs(int(self.rng.integers(6, 16)), (0.01 * side, 0.09 * side))
        canvas.strokes(int(self.rng.integers(2, 8)), (0.1 * side, 0.6 * side), 0.03 * side)
        margin = max(2, width // 12)
        headline = (margin, int(height * self.rng.uniform(0.05, 0.6)), width - 2 * margin, int(height * 0.3))
        canvas.writing(headline, 0.11 * side, self.colour(0, 90))
        canvas.writing(canvas.box((0.5 * width / self.scale, 0.25 * side)), 0.03, self.colour(0, 90))
        canvas.blobs(canvas.many(25), (0.004, 0.014))
        canvas.grain(4, 0.02)
        cv2.rectangle(canvas.image, (0, 0), (width - 1, height - 1), self.colour(10, 140), self.texels(0.012))

    def page(self, box: Box) -> None:
        """A sheet of paper with small writing and a figure."""
        canvas = self.part(box)
        width, height = box[2:]
        canvas.fill(self.colour(205, 245))
        margin = max(2, width // 10)
        canvas.writing((margin, margin, width - 2 * margin, height - margin), 0.022, self.colour(0, 70))
        figure = canvas.part(canvas.box((0.09, 0.07)))
        figure.fill(self.colour(60, 220))
        figure.polygons(3, (0.01, 0.04))
        figure.blobs(3, (0.004, 0.015))

    def books(self, box: Box) -> None:
        """A row of books of random width, height and colour on a board."""
        x, y, width, height = box
        cv2.rectangle(self.image, (x, y), (x + width, y + height), self.colour(20, 60), cv2.FILLED)
        left = x
        while left < x + width:
            right = min(left + self.texels(self.rng.uniform(0.018, 0.06)), x + width)
            top = y + int(height * self.rng.uniform(0.05, 0.35))
            cv2.rectangle(self.image, (left, top), (right - 1, y + height), self.colour(), cv2.FILLED)
            band = int(self.rng.uniform(top, y + height * 0.9))
            label = (left, band), (right - 1, band + self.texels(0.02))
            cv2.rectangle(self.image, *label, self.colour(), cv2.FILLED)
            left = right + 1
        board = (x, y + height), (x + width, y + height + self.texels(0.03))
        cv2.rectangle(self.image, *board, self.colour(40, 120), cv2.FILLED)

    def courses(self, size_m: tuple[float, float], colour: Colour, spread: float, joint_m: float) -> None:
        """Rows of bricks or planks of random length, each with its own tone."""
        joint, tall = self.texels(joint_m), self.texels(size_m[1])
        for y in range(0, self.size[1], tall):
            x = -self.texels(self.rng.uniform(0, size_m[0]))
            while x < self.size[0]:
                right = x + self.texels(size_m[0] * self.rng.uniform(0.6, 1.4))
                corners = (x + joint, y + joint), (right - 1, y + tall - 1)
                cv2.rectangle(self.image, *corners, self.near(colour, spread), cv2.FILLED)
                x = right

    def many(self, per_m2: float) -> int:
        """A count for the area of the canvas, at least 1."""
        width, height = self.size
        return max(1, round(per_m2 * width * height / self.scale**2))
