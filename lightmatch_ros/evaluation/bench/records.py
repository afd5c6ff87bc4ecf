# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Records: what was measured of one contestant at one number of keypoints, and how it compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from lightmatch_ros.evaluation.bench.measure import Statistics
from lightmatch_ros.evaluation.report import Json


class Part(Enum):
    """What was run."""

    SPEED = "speed"  # random weights and points, as many in each image, full depth
    MEMORY = "memory"  # the same, for its memory alone
    VARYING = "varying"  # the same, another number of points in every image
    ADAPTIVE = "adaptive"  # bundled weights and neighbouring images


BOTH, KEYFRAME = "both prepared", "kept keyframe"
ADAPTIVE, FULL_DEPTH = "adaptive", "full depth"
# A variant and the one that it is compared with.
_AGAINST = {KEYFRAME: BOTH, ADAPTIVE: FULL_DEPTH}


@dataclass(frozen=True)
class Record:
    """One contestant.

    Attributes:
        part: what was run.
        name: of the contestant.
        engine: "eager", "compiled" or the peer's name.
        peer: it is not this project's.
        variant: what of a match was run; both images prepared where nothing else is said.
        precision: of the products.
        keypoints: of each image; the most of an image where they differ.
        statistics: of the times; None where only memory was measured.
        gemm_gflops: what this machine multiplied in the same rounds, precision and threads.
        gemm_fraction: the network's multiply-adds in a median match, as a part of that.
        peak_mb: see `memory.peak_mb`.
        stop_layer: layers that ran, mean over the pairs.
        kept_ratio: part of all points that were not pruned, mean over the pairs.
        build_s: from weights to a contestant.
        warm_up_s: its first match of this size.
        compile_s: of a contestant that compiles or captures, what the first match took beyond a median one.
        compilations: programs so far, where somebody counts them.
        matches: mean over the pairs.
        images: where the images came from, where there are any: a folder's name, or "room" for the simulation.
        agreement: part of the matches of the first contestant that it found as well.
        speedup: the peer's median over this one's, by peer, and the variant's that it is compared with.
    """

    part: Part
    name: str
    engine: str
    peer: bool
    variant: str
    precision: str
    keypoints: int
    statistics: Statistics | None = None
    gemm_gflops: float | None = None
    gemm_fraction: float | None = None
    peak_mb: float | None = None
    stop_layer: float | None = None
    kept_ratio: float | None = None
    build_s: float | None = None
    warm_up_s: float | None = None
    compile_s: float | None = None
    compilations: int | None = None
    matches: float | None = None
    agreement: float | None = None
    images: str | None = None
    speedup: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """For a table or a legend."""
        return self.name if self.variant == BOTH else f"{self.name}, {self.variant}"

    @property
    def p99_ratio(self) -> float | None:
        """p99 over median."""
        found = self.statistics
        return found.p99_ms / found.median_ms if found else None


def with_speedups(records: Sequence[Record]) -> list[Record]:
    """Returns the records of one round with how they compare."""
    return [dataclasses.replace(record, speedup=_speedup(record, records)) for record in records]


def _speedup(record: Record, others: Sequence[Record]) -> dict[str, float]:
    if record.peer or record.statistics is None:
        return {}
    slower = {other.name: other for other in others if other.peer}
    wanted = _AGAINST.get(record.variant)
    slower |= {other.variant: other for other in others if other.name == record.name and other.variant == wanted}
    return {
        name: other.statistics.median_ms / record.statistics.median_ms
        for name, other in slower.items()
        if other.statistics is not None
    }


def losses(records: Sequence[Record]) -> list[str]:
    """Returns a line for each comparison that a record of this project lost."""
    return [
        f"{record.label} at {record.keypoints} keypoints ({record.part.value}) takes "
        f"{1 / factor:.2f} times as long as {name}"
        for record in records
        for name, factor in record.speedup.items()
        if factor < 1
    ]


def as_json(record: Record, environment: Mapping[str, Json]) -> dict[str, Json]:
    """Returns a record as plain values; it stands for itself."""
    found = record.statistics
    return {
        "part": record.part.value,
        "name": record.name,
        "engine": record.engine,
        "peer": record.peer,
        "variant": record.variant,
        "device": environment["device"],
        "precision": record.precision,
        "keypoints": record.keypoints,
        "median_ms": found.median_ms if found else None,
        "iqr_ms": found.iqr_ms if found else None,
        "p99_ms": found.p99_ms if found else None,
        "p99_ratio": record.p99_ratio,
        "repetitions": found.repetitions if found else 0,
        "gemm_gflops": record.gemm_gflops,
        "gemm_fraction": record.gemm_fraction,
        "peak_mb": record.peak_mb,
        "stop_layer": record.stop_layer,
        "kept_ratio": record.kept_ratio,
        "build_s": record.build_s,
        "warm_up_s": record.warm_up_s,
        "compile_s": record.compile_s,
        "compilations": record.compilations,
        "matches": record.matches,
        "agreement": record.agreement,
        "images": record.images,
        "speedup": dict(record.speedup),
        "environment": dict(environment),
    }
