# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Random 3D scenes hung with photographs, and cameras that look at them: pairs with parallax and occlusion.

Convention: world in metres, x right, y down, z forward as seen from the cameras' mean position, which is the origin.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lightmatch_ros.simulation.scene import Quad, Scene, facing

DoubleArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

PHOTOS_PER_SCENE = 24
_TILE_M = (3.2, 2.4)  # so that a photograph of 480 pixels has about one texel for each pixel at 7 m: no blur


def random_scene(rng: np.random.Generator, photos: Sequence[ByteArray]) -> Scene:
    """Builds a wall of photographs, a floor, and panels and boxes in front of them.

    Args:
        rng: source of randomness.
        photos: at least PHOTOS_PER_SCENE pictures, (H, W) uint8, any sizes.
    """
    pictures = iter([cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR) for photo in photos])
    depth = float(rng.uniform(5, 9))
    quads: list[Quad] = []
    for column in (-1, 0, 1):
        for row in (-1, 0, 1):
            # Tiles stand forward and back, so that the wall too has depth.
            centre = (column * _TILE_M[0], row * _TILE_M[1] - 0.4, depth + float(rng.uniform(-0.3, 0.3)))
            quads.append(facing(centre, (0, 0, 1), (0, -1, 0), _TILE_M, next(pictures)))
        floor = (column * _TILE_M[0], 1.6, depth - 1.6 - float(rng.uniform(0, 1)))
        quads.append(facing(floor, (0, 1, 0), (0, 0, 1), (_TILE_M[0], 3.2), next(pictures)))
    for _ in range(int(rng.integers(2, 5))):
        quads.append(_panel(rng, depth, next(pictures)))
    for _ in range(int(rng.integers(1, 3))):
        quads += _box(rng, depth, [next(pictures) for _ in range(3)])
    return Scene(tuple(quads))


def random_camera(rng: np.random.Generator, spread: float, size: tuple[int, int]) -> tuple[DoubleArray, DoubleArray]:
    """Draws a camera near the origin that looks at the scene.

    Args:
        rng: source of randomness.
        spread: 0 (all at the origin) to 1 (baselines up to 3 m, roll up to 25 degrees).
        size: (width, height), pixels.

    Returns:
        K (3, 3) and T_world_from_camera (4, 4).
    """
    focal_px = max(size) * float(rng.uniform(0.75, 1.25))
    K = np.array([[focal_px, 0, (size[0] - 1) / 2], [0, focal_px, (size[1] - 1) / 2], [0, 0, 1]])
    position = rng.uniform(-1, 1, 3) * (1.5, 0.7, 1.2) * spread
    target = np.array([0.0, 0.0, 6.0]) + rng.uniform(-1, 1, 3) * (1.6, 0.8, 0.5) * spread
    T = np.eye(4)
    T[:3, :3] = _looking_at(target - position, float(np.deg2rad(25) * spread * rng.uniform(-1, 1)))
    T[:3, 3] = position
    return K, T


def projection(K: DoubleArray, T_world_from_camera: DoubleArray) -> DoubleArray:
    """Returns the 3 x 4 projection from world to pixels."""
    T_camera_from_world = np.linalg.inv(T_world_from_camera)
    return np.asarray(K @ T_camera_from_world[:3])


def backproject(
    points: NDArray[np.float32], depth: NDArray[np.float32], K: DoubleArray, T_world_from_camera: DoubleArray
) -> NDArray[np.float32]:
    """Returns world points (M, 3), NaN where there is no depth, of pixels (M, 2); depth (H, W) is read at the nearest.

    A depth interpolated across an edge would be the depth of nothing.
    """
    columns = np.clip(np.rint(points[:, 0]).astype(int), 0, depth.shape[1] - 1)
    rows = np.clip(np.rint(points[:, 1]).astype(int), 0, depth.shape[0] - 1)
    z = depth[rows, columns].astype(np.float64)
    rays = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(K).T
    world = (rays * z[:, None]) @ T_world_from_camera[:3, :3].T + T_world_from_camera[:3, 3]
    world[z <= 0] = np.nan
    return np.asarray(world, np.float32)


def _looking_at(direction: DoubleArray, roll_rad: float) -> DoubleArray:
    """R_world_from_camera, (3, 3), with the optical axis along a direction."""
    z = direction / np.linalg.norm(direction)
    x = np.cross((0.0, 1.0, 0.0), z)
    x /= np.linalg.norm(x)
    upright = np.column_stack([x, np.cross(z, x), z])
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.asarray(upright @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))


def _panel(rng: np.random.Generator, depth: float, picture: ByteArray) -> Quad:
    centre = np.array([rng.uniform(-1.8, 1.8), rng.uniform(-1.0, 1.0), rng.uniform(2.6, depth - 0.7)])
    yaw, pitch = rng.uniform(-0.9, 0.9), rng.uniform(-0.4, 0.4)
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    width = float(rng.uniform(0.25, 0.5) * centre[2])  # wider where it is farther: the same in the image
    height = width * picture.shape[0] / picture.shape[1]
    return facing(centre, forward, np.cross(right, forward), (width, height), picture)


def _box(rng: np.random.Generator, depth: float, pictures: Sequence[ByteArray]) -> list[Quad]:
    """The two upright faces that are seen, and the lid."""
    centre = np.array([rng.uniform(-1.8, 1.8), rng.uniform(0.3, 1.1), rng.uniform(3.2, depth - 0.8)])
    side, height = float(rng.uniform(0.16, 0.3) * centre[2]), float(rng.uniform(0.16, 0.35) * centre[2])
    yaw = rng.uniform(0.2, np.pi / 2 - 0.2)
    up = np.array([0.0, -1.0, 0.0])
    faces = [np.array([np.sin(a), 0.0, np.cos(a)]) for a in (yaw, yaw - np.pi / 2)]
    quads = [
        facing(centre - face * side / 2, face, up, (side, height), picture)
        for face, picture in zip(faces, pictures, strict=False)
    ]
    lid = facing(centre + up * height / 2, -up, faces[0], (side, side), pictures[2])
    return [*quads, lid]
