# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Adaptive speed: the bundled weights on neighbouring images, beside the same matcher at full depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.matcher import FeatureMatcher, create_matcher
from lightmatch_ros.core.types import ByteArray, Features, Matches
from lightmatch_ros.evaluation.bench.contestants import EAGER
from lightmatch_ros.evaluation.bench.measure import Lane, Statistics, alternate
from lightmatch_ros.evaluation.bench.records import ADAPTIVE, FULL_DEPTH, Part, Record, with_speedups
from lightmatch_ros.simulation.sources import ROOM, open_source

WEIGHTS = "lightmatch-sift"
# Of the simulated camera, so that neighbouring frames differ as a frame does from its keyframe (guess).
_RATE_HZ = 3.0


def load_images(folder: Path | None, pairs: int) -> list[ByteArray]:
    """Returns consecutive images for this many pairs, or fewer where the folder has no more.

    Args:
        folder: None for the simulation.
        pairs: at least 1.

    Raises:
        ConfigurationError: less than two images.
        ImageError: an image that cannot be read.
    """
    source = open_source(ROOM if folder is None else str(folder), rate_hz=_RATE_HZ)
    images = [frame.image for frame in islice(source, pairs + 1)]
    if len(images) < 2:
        raise ConfigurationError(f"--pairs {folder}: got {len(images)} image, wanted 2 or more")
    return images


def adaptive(images: Iterable[ByteArray], count: int, rounds: int, device: torch.device) -> list[Record]:
    """Measures the default matcher on each pair of neighbours, with and without its adaptivity.

    Both images are prepared in each match, as a keyframe's kept side is another gain.

    Args:
        images: two or more.
        count: most keypoints of an image.
        rounds: how often each pair is matched.
        device: where it runs.
    """
    config = MatcherConfig(features="sift", weights=WEIGHTS, max_keypoints=count, device=str(device))
    extractor = create_extractor(config, device)
    features = [extractor.extract(image) for image in images]
    full = dataclasses.replace(config, depth_confidence=-1.0, width_confidence=-1.0)
    matchers = {FULL_DEPTH: create_matcher(full, device), ADAPTIVE: create_matcher(config, device)}
    lanes = {name: Lane.of(*_jobs(matcher, features)) for name, matcher in matchers.items()}
    alternate(list(lanes.values()), rounds * (len(features) - 1), device)
    reference = lanes[FULL_DEPTH].answers
    return with_speedups([_record(name, matchers[name], lane, reference, count) for name, lane in lanes.items()])


def _jobs(matcher: FeatureMatcher, features: list[Features]) -> list[Callable[[], Matches]]:
    def job(features0: Features, features1: Features) -> Callable[[], Matches]:
        # Copies: the matcher keeps what it made of features that it knows.
        return lambda: matcher.match(dataclasses.replace(features0), dataclasses.replace(features1))

    return [job(features0, features1) for features0, features1 in pairwise(features)]


def _record(
    variant: str, matcher: FeatureMatcher, lane: Lane[Matches], reference: dict[int, Matches], count: int
) -> Record:
    answers = lane.answers
    shared = [_shared(answer, reference[i]) for i, answer in answers.items() if len(reference[i])]
    engine, precision = matcher.engine.name, matcher.engine.precision.value
    name = engine if engine == EAGER else f"{engine}-{precision}"
    return Record(
        Part.ADAPTIVE, name, engine, False, variant, precision, count,
        statistics=Statistics.of(lane.times_s),
        stop_layer=float(np.mean([a.stop_layer for a in answers.values()])),
        kept_ratio=float(np.mean([a.kept_ratio for a in answers.values()])),
        matches=float(np.mean([len(a) for a in answers.values()])),
        compilations=matcher.engine.compilations,
        agreement=float(np.mean(shared)) if shared else None,
    )  # fmt: skip


def _shared(answer: Matches, reference: Matches) -> float:
    found, wanted = (set(zip(m.indices0.tolist(), m.indices1.tolist(), strict=True)) for m in (answer, reference))
    return len(found & wanted) / len(wanted)
