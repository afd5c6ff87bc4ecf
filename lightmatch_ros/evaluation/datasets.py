# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pairs of images with known geometry, read from folders.

Convention: image 0 is the reference; ``x1 ~ H x0``, ``X1 = T_1_from_0 X0``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.metrics import relative
from lightmatch_ros.core.types import BoolArray, ByteArray, DoubleArray
from lightmatch_ros.simulation.sources import read_image

KITCHEN_GAPS = (10, 20, 40)
KITTI_GAPS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class Picture:
    """An image that is read when it is needed.

    Attributes:
        key: tells it from all others of its set.
        read: returns (H, W) or (H, W, 3) BGR, uint8.
        hidden: (H, W), where it does not show the scene that the truth is about; None: nowhere.
    """

    key: str
    read: Callable[[], ByteArray]
    hidden: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class PlaneTruth:
    """Both images show one plane: H (3, 3)."""

    H: DoubleArray


@dataclass(frozen=True, eq=False)
class PoseTruth:
    """Both cameras are known: K0, K1 (3, 3), T_1_from_0 (4, 4), metres."""

    K0: DoubleArray
    K1: DoubleArray
    T_1_from_0: DoubleArray


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images, what is true about them, and the part of the set that they belong to."""

    name: str
    group: str
    picture0: Picture
    picture1: Picture
    truth: PlaneTruth | PoseTruth


@dataclass(frozen=True, eq=False)
class PairSet:
    """Pairs that are evaluated together.

    Attributes:
        name: of the set.
        pairs: each makes a pair when it is called.
        max_keypoints: for each image, where the user does not say.
    """

    name: str
    pairs: Sequence[Callable[[], Pair]]
    max_keypoints: int = 1024

    def limited(self, count: int) -> PairSet:
        """Returns the set with at most that many pairs, evenly spread; 0 = all."""
        if count <= 0 or count >= len(self.pairs):
            return self
        chosen = [self.pairs[i * len(self.pairs) // count] for i in range(count)]
        return PairSet(self.name, chosen, self.max_keypoints)


def oxford(folder: Path) -> PairSet:
    """Pairs 1-k of the scenes graf (viewpoint) and leuven (light), at their full size.

    Source: Mikolajczyk et al., "A comparison of affine region detectors", IJCV 2005.
    """
    pairs: list[Pair] = []
    for scene in ("graf", "leuven"):
        first = _picture(_find(folder / scene, "1.*"))
        for k in range(2, 7):
            H = _numbers(folder / scene / f"H_1_{k}.txt", (3, 3))
            H = H / H[2, 2]  # the sign of the scale tells in front from behind; pixel (0, 0) is in front
            pairs.append(Pair(f"1-{k}", scene, first, _picture(_find(folder / scene, f"{k}.*")), PlaneTruth(H)))
    return _fixed("oxford", pairs)


def fountain(folder: Path) -> PairSet:
    """All pairs of photographs with a wide baseline; beside each NNNN.jpg the rows of K, R and t in NNNN.txt.

    Source: Strecha et al., "On benchmarking camera calibration and multi-view stereo", CVPR 2008.
    """
    pairs = []
    for file0, file1 in combinations(sorted(folder.glob("*.txt")), 2):
        table0, table1 = _numbers(file0, (7, 3)), _numbers(file1, (7, 3))
        motion = _rigid(table1[3:6], table1[6]) @ np.linalg.inv(_rigid(table0[3:6], table0[6]))
        pictures = [_picture(_find(folder, f"{file.stem}.[jp]*")) for file in (file0, file1)]
        truth = PoseTruth(table0[:3], table1[:3], motion)
        pairs.append(Pair(f"{file0.stem}-{file1.stem}", "all", pictures[0], pictures[1], truth))
    return _fixed("fountain", pairs)


def kitchen(folder: Path, gaps: Sequence[int] = KITCHEN_GAPS) -> PairSet:
    """Frames of a walk indoors, some frames apart. Its true poses are loose, by about a degree.

    Source: Shotton et al., "Scene coordinate regression forests", CVPR 2013 (7-Scenes, redkitchen).
    """
    K = _numbers(folder / "camera-intrinsics.txt", (3, 3))
    images = sorted(folder.glob("frame-*.color.*"))
    poses = [_numbers(folder / f"{path.name.split('.')[0]}.pose.txt", (4, 4)) for path in images]
    return _sequence("kitchen", images, K, poses, gaps)


def kitti06(folder: Path, gaps: Sequence[int] = KITTI_GAPS) -> PairSet:
    """Frames of a car's left camera, some frames apart.

    Source: Geiger et al., "Are we ready for autonomous driving?", CVPR 2012 (odometry, sequence 06).
    """
    K = _numbers(folder / "calib.txt", (-1, 3, 4))[0][:, :3]
    images = sorted((folder / "image_l").glob("*.[jp]*"))
    poses = [_rigid(row[:, :3], row[:, 3]) for row in _numbers(folder / "poses.txt", (-1, 3, 4))]
    return _sequence("kitti06", images, K, poses, gaps)


def _sequence(
    name: str, images: Sequence[Path], K: DoubleArray, poses: Sequence[DoubleArray], gaps: Sequence[int]
) -> PairSet:
    """Pairs of frames, from camera-to-world poses; each gap is a group."""
    if len(images) != len(poses):
        raise ConfigurationError(f"{name}: got {len(images)} images and {len(poses)} poses, wanted as many")
    pictures = [_picture(path) for path in images]
    pairs = []
    for gap in gaps:
        for i in range(len(images) - gap):
            truth = PoseTruth(K, K, relative(poses[i + gap], poses[i]))
            pairs.append(Pair(f"{i}-{i + gap}", f"gap {gap}", pictures[i], pictures[i + gap], truth))
    return _fixed(name, pairs)


def _fixed(name: str, pairs: Sequence[Pair]) -> PairSet:
    if not pairs:
        raise ConfigurationError(f"{name}: got no pairs of images, wanted the folder that --data describes")
    return PairSet(name, [partial(_same, pair) for pair in pairs])


def _same(pair: Pair) -> Pair:
    return pair


def _picture(path: Path) -> Picture:
    return Picture(str(path), partial(read_image, path))


def _find(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise ConfigurationError(f"got no {folder / pattern}, wanted an image")
    return found[0]


def _numbers(path: Path, shape: tuple[int, ...]) -> DoubleArray:
    """Reads numbers, row by row."""
    try:
        return np.loadtxt(path).reshape(shape)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}; wanted numbers of shape {shape}") from error


def _rigid(R: DoubleArray, t: DoubleArray) -> DoubleArray:
    return np.block([[R, t.reshape(3, 1)], [np.zeros((1, 3)), np.ones((1, 1))]])
