# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pairs of views of photographs that training never sees, drawn as in training.

The protocol is that of synthetic homographies in SuperGlue (CVPR 2020), section 5.1, and LightGlue (ICCV 2023),
section 4, with the distribution of this project's training (training/README.md) and its mix of pairs, but without its
unrelated pairs and its 3D scenes: every pair has a homography.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.image import to_gray
from lightmatch_ros.core.types import BoolArray, ByteArray, DoubleArray
from lightmatch_ros.evaluation import homographies, photometric
from lightmatch_ros.evaluation.datasets import Pair, PairSet, Picture, PlaneTruth
from lightmatch_ros.evaluation.homographies import EASY, HARD, SMALL, VIEW_SIZES, Pose
from lightmatch_ros.simulation.sources import IMAGE_SUFFIXES, read_image

NUM_PAIRS = 300
NUM_KEYPOINTS = 512
# Of twenty pairs eight without strong rotation, seven of two hard views, five of any two: training's mix.
GROUPS = ("moderate", "hard", "moderate", "any", "hard") * 3 + ("moderate", "any", "hard", "any", "moderate")


@dataclass(frozen=True, eq=False)
class View:
    """A picture of a photograph.

    Attributes:
        image: (H, W) uint8.
        H: (3, 3), pixels of the photograph to pixels of the view.
        hidden: (H, W), what another picture covers.
    """

    image: ByteArray
    H: DoubleArray
    hidden: BoolArray


def held_back(photo: Path) -> bool:
    """One photograph in ten, chosen by its name alone; training leaves it out."""
    return zlib.crc32(photo.name.encode()) % 10 == 0


def homography(photos: Path, seed: int, count: int = NUM_PAIRS, every: bool = False) -> PairSet:
    """Pairs of views of a folder's photographs.

    Args:
        photos: folder of images.
        seed: the same seed gives the same pairs.
        count: pairs.
        every: take all photographs, not only those held back from training.

    Raises:
        ConfigurationError: no photographs there.
    """
    found = sorted(p for p in photos.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES and (every or held_back(p)))
    if not found:
        raise ConfigurationError(f"{photos}: got no {'' if every else 'held-back '}photographs, wanted some")
    order = np.random.default_rng(seed).permutation(len(found))
    ordered = [found[i] for i in order]
    return PairSet("homography", [partial(make_pair, ordered, i, seed) for i in range(count)], NUM_KEYPOINTS)


def make_pair(photos: Sequence[Path], index: int, seed: int) -> Pair:
    """Makes one pair; the others do not influence it."""
    path = photos[index % len(photos)]
    rng = np.random.default_rng([seed, index, zlib.crc32(path.name.encode())])
    photo = to_gray(read_image(path))
    other = to_gray(read_image(photos[int(rng.integers(len(photos)))]))
    group = GROUPS[index % len(GROUPS)]
    view0, view1 = draw_views(rng, photo, other, group)
    H = view1.H @ np.linalg.inv(view0.H)
    pictures = [
        Picture(f"{index}/{side}", partial(_same, view.image), view.hidden) for side, view in enumerate((view0, view1))
    ]
    return Pair(f"{index} {path.name}", group, pictures[0], pictures[1], PlaneTruth(H))


def draw_views(
    rng: np.random.Generator, photo: ByteArray, other: ByteArray, group: str, strength: float = 1.0
) -> tuple[View, View]:
    """Draws two views of a photograph (H, W); parts of another one cover some. Strength 0: no photometric changes."""
    hard = [group == "hard" or (group == "any" and rng.uniform() < 1 / 3) for _ in range(2)]
    size = (photo.shape[1], photo.shape[0])
    poses: list[tuple[Pose, tuple[int, int]]] = []
    for is_hard in hard:
        view_size = VIEW_SIZES[int(rng.integers(len(VIEW_SIZES)))]
        poses.append((homographies.sample_pose(rng, HARD if is_hard else EASY, size, view_size), view_size))
    if group == "moderate" and rng.uniform() < 0.125:  # neighbouring frames of a video
        poses[1] = (homographies.perturb_pose(rng, poses[0][0], SMALL, size), poses[0][1])
    views = [_render(rng, photo, other, *pose, is_hard, strength) for pose, is_hard in zip(poses, hard, strict=True)]
    turns = _quarter_turns(rng, group)
    return _turn(views[0], turns[0]), _turn(views[1], turns[1])


def _render(
    rng: np.random.Generator,
    photo: ByteArray,
    other: ByteArray,
    pose: Pose,
    size: tuple[int, int],
    hard: bool,
    strength: float,
) -> View:
    H = homographies.homography(homographies.sample_projection(rng, pose, size))
    image = homographies.warp(photo, H, size)
    hidden = np.zeros(image.shape, np.bool_)
    if rng.uniform() < (0.4 if hard else 0.2):
        image, hidden = photometric.occlude(rng, image, other)
    strength *= float(rng.uniform(0, 1 if hard else 0.6))
    return View(photometric.degrade(rng, image, strength), H, hidden)


def _quarter_turns(rng: np.random.Generator, group: str) -> tuple[int, int]:
    """A camera on its side now and then; in the other groups rotations up to 180 degrees."""
    if group == "moderate":
        turn = int(rng.integers(4)) if rng.uniform() < 0.15 else 0
        return turn, turn
    return (int(rng.integers(4)), int(rng.integers(4))) if rng.uniform() < 0.6 else (0, 0)


def _turn(view: View, quarters: int) -> View:
    """Turns a view clockwise: (x, y) goes to (height - 1 - y, x) with each quarter."""
    for _ in range(quarters):
        quarter = np.array([[0.0, -1, view.image.shape[0] - 1], [1, 0, 0], [0, 0, 1]])
        view = View(
            np.ascontiguousarray(np.rot90(view.image, -1)),
            quarter @ view.H,
            np.ascontiguousarray(np.rot90(view.hidden, -1)),
        )
    return view


def _same(image: ByteArray) -> ByteArray:
    return image
