# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Command: extract the features of all pools of views, in parallel, into a cache folder."""

from __future__ import annotations

import argparse
import multiprocessing
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training import views
from training.scenes import PHOTOS_PER_SCENE


@dataclass(frozen=True)
class Job:
    """One pool to make.

    Attributes:
        output: .npz file.
        photos: pictures that it is made of; for a photograph's pool the first is the photograph.
        is_scene: a 3D scene of all the pictures, or views of the first one.
        count: views.
        max_keypoints: most features of a view.
        seed: of this pool.
    """

    output: Path
    photos: tuple[Path, ...]
    is_scene: bool
    count: int
    max_keypoints: int
    seed: int


def jobs(args: argparse.Namespace) -> list[Job]:
    """Lists the pools that the cache lacks: photographs' and scenes', training and validation."""
    photos = sorted(p for p in args.photos.iterdir() if p.suffix.lower() in {".jpg", ".png", ".jpeg"})
    found: list[Job] = []
    for split in ("train", "val"):
        own = [p for p in photos if views.held_back(p) == (split == "val")]
        (args.cache / split).mkdir(parents=True, exist_ok=True)
        scenes = args.scenes if split == "train" else max(1, args.scenes // 10)
        for i, name in enumerate([p.stem for p in own] + [f"scene{i:05d}" for i in range(scenes)]):
            # By name, so that a pool comes out the same whatever else is made.
            seed = zlib.crc32(f"{args.seed}/{name}".encode())
            rng = np.random.default_rng(seed)
            is_scene = i >= len(own)
            chosen = rng.choice(len(own), min(len(own), PHOTOS_PER_SCENE if is_scene else 4), replace=False)
            pictures = [own[j] for j in chosen] if is_scene else [own[i], *(own[j] for j in chosen)]
            output = args.cache / split / f"{name}.npz"
            if not output.exists():
                found.append(Job(output, tuple(pictures), is_scene, args.views, args.keypoints, seed))
    return found


def make_pool(job: Job) -> str:
    """Makes one pool and writes it."""
    cv2.setNumThreads(1)  # the processes share the cores already
    rng = np.random.default_rng(job.seed + 1)
    pictures = [read_grey(path) for path in job.photos]
    if job.is_scene:
        pool = views.scene_pool(rng, pictures, job.count, job.max_keypoints)
    else:
        pool = views.photo_pool(rng, pictures[0], pictures[1:], job.count, job.max_keypoints)
    views.save_pool(job.output, pool, job.max_keypoints)
    return job.output.name


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as (H, W) uint8.

    Raises:
        ValueError: not a picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path}: got a file that OpenCV cannot read, wanted a picture")
    return np.asarray(image, np.uint8)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m training.generate", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--cache", type=Path, required=True, help="folder to write; what is there already is kept")
    parser.add_argument("--views", type=int, default=12, help="views of each photograph and scene")
    parser.add_argument("--scenes", type=int, default=200, help="3D scenes for training; a tenth more for validation")
    parser.add_argument("--keypoints", type=int, default=640, help="most features of a view")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    todo = jobs(args)
    np.random.default_rng(args.seed).shuffle(todo)  # so that a part of the cache is a fair sample
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        for _ in track(pool.imap_unordered(make_pool, todo), "Extracting", len(todo)):
            pass


if __name__ == "__main__":
    main()
