# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pools of views: features are extracted once for each view, and any two views of a pool make a pair.

Pairs grow with the square of the views, the costly extraction only with their number. A view keeps for each feature
the point of the world that it shows, so that the ground truth of every pair is two projections away.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.evaluation import homographies, photometric
from lightmatch_ros.evaluation.homographies import VIEW_SIZES, Pose
from lightmatch_ros.simulation.renderer import Renderer
from lightmatch_ros.simulation.scene import Scene
from training import scenes
from training.features import extract

ByteArray = NDArray[np.uint8]
DoubleArray = NDArray[np.float64]


class Kind(IntEnum):
    """How a view was drawn."""

    EASY = 0
    SMALL = 1
    HARD = 2
    SCENE = 3


@dataclass(frozen=True, eq=False)
class View:
    """The features of one view.

    Attributes:
        geometry: (M, 4) float32, see `RawFeatures`.
        descriptors: (M, 128) uint8, SIFT.
        world: (M, 3) float32, the point of the world that each feature shows; NaN for a feature that shows nothing
            of the pool's world, such as one on a pasted picture.
        P: (3, 4) float64, projection from world to pixels.
        size: (width, height), pixels.
        kind: how the view was drawn.
    """

    geometry: NDArray[np.float32]
    descriptors: ByteArray
    world: NDArray[np.float32]
    P: DoubleArray
    size: tuple[int, int]
    kind: Kind


# Kinds of the views of a photograph: half of them upright and mild, as in a video.
PHOTO_KINDS = (Kind.EASY, Kind.SMALL, Kind.HARD, Kind.EASY, Kind.HARD, Kind.SMALL, Kind.EASY, Kind.HARD)


def photo_pool(
    rng: np.random.Generator, photo: ByteArray, others: Sequence[ByteArray], count: int, max_keypoints: int
) -> list[View]:
    """Draws views of a photograph, (H, W) uint8; parts of the others are pasted over some."""
    views: list[View] = []
    last: tuple[Pose, tuple[int, int]] | None = None
    for i in range(count):
        kind = PHOTO_KINDS[i % len(PHOTO_KINDS)]
        pose, size = draw_pose(rng, kind, (photo.shape[1], photo.shape[0]), last)
        last = (pose, size) if kind is Kind.EASY else last
        P = homographies.sample_projection(rng, pose, size)
        strength = float(rng.uniform(0, 1)) if kind is Kind.HARD else float(rng.uniform(0, 0.6))
        cover = others[int(rng.integers(len(others)))] if rng.uniform() < 0.2 + 0.2 * (kind is Kind.HARD) else None
        views.append(photo_view(rng, photo, P, size, strength, cover, kind, max_keypoints))
    return views


def draw_pose(
    rng: np.random.Generator, kind: Kind, photo_size: tuple[int, int], last: tuple[Pose, tuple[int, int]] | None
) -> tuple[Pose, tuple[int, int]]:
    """Draws pose and size of a view; a small motion starts from the last view where there is one."""
    if kind is Kind.SMALL and last is not None:
        return homographies.perturb_pose(rng, last[0], homographies.SMALL, photo_size), last[1]
    size = VIEW_SIZES[int(rng.integers(len(VIEW_SIZES)))]
    limits = homographies.HARD if kind is Kind.HARD else homographies.EASY
    return homographies.sample_pose(rng, limits, photo_size, size), size


def photo_view(
    rng: np.random.Generator,
    photo: ByteArray,
    P: DoubleArray,
    size: tuple[int, int],
    strength: float,
    cover: ByteArray | None,
    kind: Kind,
    max_keypoints: int,
) -> View:
    """Renders one view of a photograph and extracts its features."""
    H = homographies.homography(P)
    image = homographies.warp(photo, H, size)
    covered = np.zeros(image.shape, np.bool_)
    if cover is not None:
        image, covered = photometric.occlude(rng, image, cover)
    features = extract(photometric.degrade(rng, image, strength), max_keypoints)
    points = features.geometry[:, :2]
    plane = np.column_stack([points, np.ones(len(points))]) @ np.linalg.inv(H).T
    world = np.column_stack([plane[:, :2] / plane[:, 2:], np.zeros(len(points))])
    world[_read(covered, points)] = np.nan
    return View(features.geometry, features.descriptors, world.astype(np.float32), P, size, kind)


def scene_pool(rng: np.random.Generator, photos: Sequence[ByteArray], count: int, max_keypoints: int) -> list[View]:
    """Draws views of a random 3D scene of photographs; see `random_scene` for how many it takes."""
    scene = scenes.random_scene(rng, photos)
    return [scene_view(rng, scene, max_keypoints, 1.0 if i % 2 else 0.35) for i in range(count)]


def scene_view(rng: np.random.Generator, scene: Scene, max_keypoints: int, spread: float) -> View:
    """Renders one view of a scene and extracts its features."""
    size = VIEW_SIZES[int(rng.integers(len(VIEW_SIZES)))]
    K, T = scenes.random_camera(rng, spread, size)
    seen = Renderer(scene, CameraModel.from_matrix(K, size)).render(T)
    grey = np.asarray(cv2.cvtColor(seen.image, cv2.COLOR_BGR2GRAY), np.uint8)
    features = extract(photometric.degrade(rng, grey, float(rng.uniform(0, 0.6))), max_keypoints)
    world = scenes.backproject(features.geometry[:, :2], seen.depth, K, T)
    return View(features.geometry, features.descriptors, world, scenes.projection(K, T), size, Kind.SCENE)


def held_back(photo: Path) -> bool:
    """A photograph is kept for validation: one in ten, chosen by its name alone."""
    return zlib.crc32(photo.name.encode()) % 10 == 0


def save_pool(path: Path, views: Sequence[View], max_keypoints: int) -> None:
    """Writes a pool to an .npz file, padded to max_keypoints, in one step: there is never half a file."""
    count = np.array([len(v.geometry) for v in views])

    def padded(arrays: list[NDArray[np.generic]]) -> NDArray[np.generic]:
        out = np.zeros((len(arrays), max_keypoints, arrays[0].shape[1]), arrays[0].dtype)
        for row, array in zip(out, arrays, strict=True):
            row[: len(array)] = array
        return out

    unfinished = path.with_suffix(".tmp.npz")
    np.savez(
        unfinished,
        geometry=padded([v.geometry for v in views]),
        descriptors=padded([v.descriptors for v in views]),
        world=padded([v.world for v in views]),
        P=np.array([v.P for v in views]),
        size=np.array([v.size for v in views]),
        kind=np.array([v.kind for v in views]),
        count=count,
    )
    unfinished.replace(path)


def _read(mask: NDArray[np.bool_], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    columns = np.clip(np.rint(points[:, 0]).astype(int), 0, mask.shape[1] - 1)
    rows = np.clip(np.rint(points[:, 1]).astype(int), 0, mask.shape[0] - 1)
    return np.asarray(mask[rows, columns])
