# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Measures at start what runs a network fastest on this machine, and remembers it on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from lightmatch_ros import __version__
from lightmatch_ros.core.engine.cache import cache_folder, processor
from lightmatch_ros.core.engine.interface import Engine, Precision, Prepared
from lightmatch_ros.core.engine.product import default_precision
from lightmatch_ros.core.engine.random_points import random_points
from lightmatch_ros.core.engine.select import create_engine
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue
from lightmatch_ros.core.lightglue.adaptive import FULL

log = logging.getLogger(__name__)
Name = TypeVar("Name", bound=Hashable)

# Points of an image at which it is measured whether pruning pays.
COUNTS = (64, 128, 256, 512)
# Pruning pays where losing a quarter of the points half-way would save more time than all looking for them costs.
_PRUNED = 0.25
_LOOKS_ONLY = Adaptivity(depth_confidence=-1, width_confidence=1.0)  # matchability > 0: nothing is ever pruned
_ROUNDS = 5


@dataclass(frozen=True)
class Tuning:
    """What was found.

    Attributes:
        precision: of the engine.
        min_points: images with this many points or fewer are better not pruned.
    """

    precision: Precision
    min_points: int


def tune(network: LightGlue, device: torch.device, precision: Precision | None, max_keypoints: int) -> Tuning:
    """Returns the remembered tuning, or measures, a few seconds, and remembers.

    Args:
        network: loaded weights.
        device: where the engine will run.
        precision: the user's choice; None = to be measured.
        max_keypoints: of an image.
    """
    path = cache_folder() / f"tuning-{_key(network.architecture, device, precision, max_keypoints)}.json"
    try:
        found = json.loads(path.read_text())
        return Tuning(Precision(found["precision"]), int(found["min_points"]))
    except (OSError, ValueError, KeyError):
        pass  # not there, or broken: measured anew
    started = time.perf_counter()
    tuning = _measure(network, device, precision, max_keypoints)
    log.info(
        "tuned in %.1f s: %s, no pruning up to %d points",
        time.perf_counter() - started,
        tuning.precision.value,
        tuning.min_points,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"precision": tuning.precision.value, "min_points": tuning.min_points}))
    except OSError as error:
        log.warning("tuning is not remembered: %s", error)
    return tuning


def untuned(device: torch.device, precision: Precision | None) -> Tuning:
    """Returns what is right for most machines of the kind."""
    return Tuning(precision or default_precision(device), 0)


def fastest(contestants: dict[Precision, Callable[[], object]]) -> Precision:
    """Returns whose fastest run is shortest; all run in turn, so that a change of the machine's load hits all."""
    return min(contestants, key=_shortest_s(contestants).__getitem__)


def _measure(network: LightGlue, device: torch.device, precision: Precision | None, max_keypoints: int) -> Tuning:
    wanted = [precision] if precision else list(Precision)
    engines = {p: create_engine(network, device, precision=p) for p in wanted}
    count = min(max_keypoints, COUNTS[-1])
    best = precision or fastest({p: _matching(e, network, device, count, FULL) for p, e in engines.items()})
    min_points = 0
    if network.architecture.adaptive:
        min_points = _min_points(engines[best], network, device, [c for c in COUNTS if c <= max_keypoints])
    return Tuning(best, min_points)


def _min_points(engine: Engine, network: LightGlue, device: torch.device, counts: Sequence[int]) -> int:
    """The largest of the counts at which pruning does not pay; 0 if it always does."""
    for count in sorted(counts, reverse=True):
        smaller = int(count * (1 - _PRUNED))
        full, looking, less = _shortest_s(
            {
                "full": _matching(engine, network, device, count, FULL),
                "looking": _matching(engine, network, device, count, _LOOKS_ONLY),
                "less": _matching(engine, network, device, smaller, FULL),
            }
        ).values()
        if looking - full > 0.5 * (full - less):
            return count
    return 0


def _matching(
    engine: Engine, network: LightGlue, device: torch.device, count: int, adaptivity: Adaptivity
) -> Callable[[], object]:
    images = engine.prepare([random_points(network.architecture, count, device, seed) for seed in (0, 1)])
    pair: tuple[Prepared, Prepared] = (images[0], images[1])

    def run() -> None:
        engine.match([pair], adaptivity, 0.1)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # sync: the clock must see the end

    return run


def _shortest_s(contestants: Mapping[Name, Callable[[], object]]) -> dict[Name, float]:
    shortest = dict.fromkeys(contestants, float("inf"))
    for _ in range(_ROUNDS):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            shortest[name] = min(shortest[name], time.perf_counter() - started)
    return shortest


def _key(architecture: Architecture, device: torch.device, precision: Precision | None, max_keypoints: int) -> str:
    """Of all that the answer depends on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    asked = precision.value if precision else "any"
    parts = (name, torch.get_num_threads(), dataclasses.asdict(architecture), asked, max_keypoints)
    text = repr((*parts, __version__, torch.__version__))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
