# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Batches of labelled pairs, drawn from a cache of pools; no image is touched any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from lightmatch_ros.core.lightglue import Points
from training import ground_truth
from training.features import root_sift
from training.ground_truth import Labels
from training.views import Kind

# Pairs without strong rotation, as in a video; of any two views; of two hard views.
MIX = (0.4, 0.25, 0.35)
SCENE_SHARE = 0.3
UNRELATED_SHARE = 0.05
_MAX_DRAWS = 5000  # for one pair


@dataclass(frozen=True, eq=False)
class Cache:
    """All views of a split, in memory. See `View` for the columns; V views of K features, padded.

    Attributes:
        geometry (V, K, 4), descriptors (V, K, 128), world (V, K, 3), P (V, 3, 4), size (V, 2), kind (V,), count (V,):
            of each view.
        groups: for each pool the indices of its views.
    """

    geometry: Tensor
    descriptors: Tensor
    world: Tensor
    P: Tensor
    size: Tensor
    kind: Tensor
    count: Tensor
    groups: list[list[int]]

    def to(self, device: torch.device) -> Cache:
        """Returns the cache on a device."""
        names = ("geometry", "descriptors", "world", "P", "size")  # what `assemble` gathers from
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def load_cache(folder: Path) -> Cache:
    """Reads all pools of a folder.

    Raises:
        FileNotFoundError: no pools there.
    """
    files = sorted(p for p in folder.glob("*.npz") if not p.name.endswith(".tmp.npz"))
    if not files:
        raise FileNotFoundError(f"{folder}: got no .npz files, wanted the output of training.generate")
    names = ("geometry", "descriptors", "world", "P", "size", "kind", "count")
    columns: dict[str, list[np.ndarray]] = {name: [] for name in names}
    groups: list[list[int]] = []
    total = 0
    for file in track(files, f"Loading {folder.name}"):
        with np.load(file) as pool:
            for name in names:
                columns[name].append(pool[name])
            groups.append(list(range(total, total + len(pool["count"]))))
        total = groups[-1][-1] + 1
    tensors = {name: torch.from_numpy(np.concatenate(parts)) for name, parts in columns.items()}
    return Cache(
        tensors["geometry"], tensors["descriptors"], tensors["world"], tensors["P"].float(),
        tensors["size"].float(), tensors["kind"], tensors["count"], groups,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Batch:
    """Labelled pairs.

    Attributes:
        points: of both images, leading dimensions (2, B), keypoints in halves of the longer side about the point
            (1, 1) of an image of size 2 x 2: pairs of images of any sizes go together.
        pixels: (2, B, M, 2) keypoints in pixels.
        labels: ground truth.
        distances: (B, M, M) mutual reprojection distances, pixels.
        P: (2, B, 3, 4) projections from world to pixels.
        size: (2, B, 2) width and height, pixels.
        is_plane: (B,) both views show one photograph: the pair has a homography.
    """

    points: Points
    pixels: Tensor
    labels: Labels
    distances: Tensor
    P: Tensor
    size: Tensor
    is_plane: Tensor


@dataclass(frozen=True, eq=False)
class Choice:
    """Which pairs a batch is made of.

    Attributes:
        views: (2, B) int64.
        turns: (2, B) int64, clockwise quarter turns.
        features: (2, B, M) int64, of each view.
    """

    views: Tensor
    turns: Tensor
    features: Tensor


class PairSampler:
    """Draws pairs of views. Has state: its random generator.

    Args:
        cache: views to draw from.
        seed: of the random generator.
        mix: shares of the three sorts of pairs, see `MIX`.
    """

    def __init__(self, cache: Cache, seed: int, mix: tuple[float, float, float] = MIX) -> None:
        self._upright, self._hard = mix[0], mix[2]
        self.rng = np.random.default_rng(seed)
        self._kind, self._count = cache.kind.numpy(), cache.count.numpy()
        is_scene = [self._kind[group[0]] == Kind.SCENE for group in cache.groups]
        self._photos = [g for g, scene in zip(cache.groups, is_scene, strict=True) if not scene]
        self._scenes = [g for g, scene in zip(cache.groups, is_scene, strict=True) if scene]

    def choose(self, batch_size: int, num_keypoints: int) -> Choice:
        """Draws a batch of pairs whose images have num_keypoints features at least.

        Raises:
            ValueError: there are hardly any such pairs.
        """
        pairs = [self._pair(num_keypoints) for _ in range(batch_size)]
        views = np.array([pair[0] for pair in pairs]).T
        turns = np.array([pair[1] for pair in pairs]).T
        features = np.array([[self._subset(v, num_keypoints) for v in row] for row in views])
        return Choice(torch.from_numpy(views), torch.from_numpy(turns), torch.from_numpy(features))

    def _pair(self, num_keypoints: int) -> tuple[list[int], list[int]]:
        for _ in range(_MAX_DRAWS):
            views, turns = self._draw()
            if min(self._count[views]) >= num_keypoints:
                return views, turns
        raise ValueError(f"got views of up to {self._count.max()} features, wanted pairs of {num_keypoints}")

    def _draw(self) -> tuple[list[int], list[int]]:
        rng = self.rng
        use_scenes = bool(self._scenes) and (not self._photos or rng.uniform() < SCENE_SHARE)
        pools = self._scenes if use_scenes else self._photos
        sort = rng.uniform()
        upright, hard = sort < self._upright, sort >= 1 - self._hard
        pool = pools[int(rng.integers(len(pools)))]
        if rng.uniform() < UNRELATED_SHARE:
            other = pools[int(rng.integers(len(pools)))]
            views = [int(rng.choice(pool)), int(rng.choice(other))]
        else:
            unfit = {Kind.HARD} if upright else {Kind.EASY, Kind.SMALL} if hard else set()
            fit = [v for v in pool if self._kind[v] not in unfit]
            views = [int(v) for v in rng.choice(fit if len(fit) > 1 else pool, 2, replace=False)]
        if upright:  # a camera on its side, now and then
            return views, [int(rng.integers(4)) if rng.uniform() < 0.15 else 0] * 2
        return views, [int(t) for t in (rng.integers(4, size=2) if rng.uniform() < 0.6 else (0, 0))]

    def _subset(self, view: int, num_keypoints: int) -> np.ndarray:
        """The strongest features, or, in three of ten views, any: as from a detector less repeatable."""
        if self.rng.uniform() < 0.7:
            return np.arange(num_keypoints)
        among = min(int(self._count[view]), 2 * num_keypoints)
        return np.sort(self.rng.permutation(among)[:num_keypoints])


def assemble(cache: Cache, choice: Choice) -> Batch:
    """Gathers the features of chosen pairs and labels them, on the cache's device."""
    device = cache.P.device
    views, turns = choice.views.to(device), choice.turns.to(device)
    features = choice.features.to(device)
    rows = views.unsqueeze(-1)  # (2, B, 1)
    geometry, world = cache.geometry[rows, features], cache.world[rows, features].clone()
    pixels, angles, size, P = quarter_turns(
        geometry[..., :2], geometry[..., 3], cache.size[views], cache.P[views], turns
    )
    related = _same_pool(cache, choice.views).to(device)
    world[:, ~related] = torch.nan
    distances = ground_truth.reprojection_distances(pixels[0], world[0], P[0], pixels[1], world[1], P[1])
    scales = geometry[..., 2]
    labels = ground_truth.label(
        distances,
        (scales[0], scales[1] / ground_truth.relative_scale(distances, scales)),
        (angles[0], angles[1] - ground_truth.relative_angle(distances, angles)),
    )
    middle, half = size.unsqueeze(-2) / 2, size.amax(-1)[..., None, None] / 2
    points = Points((pixels - middle) / half + 1, root_sift(cache.descriptors[rows, features]), (2, 2), scales, angles)
    is_plane = related & (cache.kind[choice.views[0]] != Kind.SCENE).to(device)
    return Batch(points, pixels, labels, distances, P, size, is_plane)


def quarter_turns(
    pixels: Tensor, angles: Tensor, size: Tensor, P: Tensor, turns: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turns views clockwise by quarter turns: exactly what turning the picture would do to its SIFT features.

    Args:
        pixels: (..., M, 2).
        angles: (..., M), radians.
        size: (..., 2), width and height.
        P: (..., 3, 4).
        turns: (...,) int64, 0 to 3.

    Returns:
        The same four of the turned views; angles from 0 to 2 pi.
    """
    for k in (1, 2, 3):
        turn = turns >= k  # (...,)
        matrix = torch.eye(3, device=P.device).repeat(*turns.shape, 1, 1)
        quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], device=P.device).repeat(*turns.shape, 1, 1)
        quarter[..., 0, 2] = size[..., 1] - 1  # (x, y) -> (height - 1 - y, x)
        matrix = torch.where(turn[..., None, None], quarter, matrix)
        pixels = pixels @ matrix[..., :2, :2].mT + matrix[..., None, :2, 2]
        size = torch.where(turn.unsqueeze(-1), size.flip(-1), size)
        P = matrix @ P
    angles = (angles + turns.unsqueeze(-1) * (torch.pi / 2)) % (2 * torch.pi)
    return pixels, angles, size, P


def validation_batches(
    cache: Cache,
    pairs: int,
    num_keypoints: int,
    seed: int,
    batch_size: int = 8,
    mix: tuple[float, float, float] = MIX,
) -> Iterator[Batch]:
    """Yields the same pairs for the same seed."""
    sampler = PairSampler(cache, seed, mix)
    for _ in range(pairs // batch_size):
        yield assemble(cache, sampler.choose(batch_size, num_keypoints))


def _same_pool(cache: Cache, views: Tensor) -> Tensor:
    """Whether both views (2, B) come from one pool, (B,) bool."""
    firsts = torch.tensor([group[0] for group in cache.groups])
    pool = torch.searchsorted(firsts, views.contiguous(), right=True)
    return pool[0] == pool[1]
