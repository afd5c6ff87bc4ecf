# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Speed at full depth: random weights and points, all contestants in the same rounds."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.lightglue import LightGlue
from lightmatch_ros.evaluation.bench import flops, memory
from lightmatch_ros.evaluation.bench.contestants import Answer, Contestant, Own, agreement, own
from lightmatch_ros.evaluation.bench.measure import Lane, Statistics, alternate, timed
from lightmatch_ros.evaluation.bench.peers import build_peer
from lightmatch_ros.evaluation.bench.records import BOTH, KEYFRAME, Part, Record, with_speedups
from lightmatch_ros.evaluation.bench.workload import random_pair

# Smallest part of the largest count, where counts vary: every pair has another shape, and nearly the same work.
_SMALLEST = 0.9


@dataclass(frozen=True, eq=False)
class Entry:
    """A contestant and the time that it took to build."""

    contestant: Contestant
    build_s: float


@dataclass(frozen=True, eq=False)
class Field:
    """All contestants.

    Attributes:
        network: whose weights all have.
        device: where all run.
        entries: this project's first.
        left_out: a line for each peer that is not here.
    """

    network: LightGlue
    device: torch.device
    entries: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def assemble(
    network: LightGlue, device: torch.device, engines: Sequence[str], peers: Sequence[str], counts: Sequence[int]
) -> Field:
    """Builds all contestants; counts are the numbers of keypoints that they will see."""
    out = Field(network.to(device), device)
    for name in dict.fromkeys(engines):
        started = time.perf_counter()
        engine = own(name, network, device)
        out.entries.append(Entry(engine, time.perf_counter() - started))
    for name in dict.fromkeys(peers):
        started = time.perf_counter()
        try:
            peer = build_peer(name, network, device, counts)
        except ImportError as error:
            out.left_out.append(f"{name} is left out: {error}")
            continue
        out.entries.append(Entry(peer, time.perf_counter() - started))
    return out


def speed(contestants: Field, count: int, rounds: int) -> list[Record]:
    """Measures all contestants with this many points in both images; engines also with a kept keyframe."""
    pair = random_pair(contestants.network.architecture, (count, count), contestants.device)
    first_s = [_warm_up(entry, count, contestants) for entry in contestants.entries]
    runs = [(i, BOTH, entry.contestant.job(*pair)) for i, entry in enumerate(contestants.entries)]
    for i, entry in enumerate(contestants.entries):
        if isinstance(entry.contestant, Own) and entry.contestant.keeps:
            runs.append((i, KEYFRAME, entry.contestant.job_with_keyframe(*pair)))
    lanes = [Lane.of(job) for _, _, job in runs]
    gemm = _run_beside_gemm(lanes, {e.contestant.precision for e in contestants.entries}, rounds, contestants.device)
    work = flops.multiply_adds(contestants.network.architecture, count, count)
    records = []
    for (i, variant, _), lane in zip(runs, lanes, strict=True):
        entry = contestants.entries[i]
        record = _record(Part.SPEED, entry, variant, count, lane, lanes[0].answers)
        rate = gemm[entry.contestant.precision]
        if variant == BOTH:
            record = _with_first(record, entry.contestant, first_s[i], entry.build_s)
            record = _with_gemm(record, lane, rate, work)
        records.append(record)
    return with_speedups(records)


def varying(contestants: Field, count: int, rounds: int, seed: int = 0) -> list[Record]:
    """Measures all contestants with up to this many points, a different number in every image: who hiccups?"""
    architecture, device = contestants.network.architecture, contestants.device
    for entry in contestants.entries:
        _warm_up(entry, count, contestants)
    smallest = max(1, int(_SMALLEST * count))
    counts = np.random.default_rng(seed).integers(smallest, count + 1, (rounds, 2)).tolist()
    pairs = [random_pair(architecture, (a, b), device, seed + i) for i, (a, b) in enumerate(counts)]
    lanes = [Lane.of(*(entry.contestant.job(*pair) for pair in pairs)) for entry in contestants.entries]
    alternate(lanes, rounds, device)
    return with_speedups(
        [
            _record(Part.VARYING, entry, BOTH, count, lane, lanes[0].answers)
            for entry, lane in zip(contestants.entries, lanes, strict=True)
        ]
    )


def with_memory(contestants: Field, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Returns the records with their peak memory, and a line for each that could not be measured.

    What compiles inside its first match is left out: the compiler takes more than the match.
    """
    out, failed = [], []
    compilers = {entry.contestant.name for entry in contestants.entries if entry.contestant.compiles}
    for record in records:
        if record.variant == BOTH and record.name not in compilers:
            try:
                peak = memory.peak_mb(record.name, record.keypoints, contestants.device)
                record = dataclasses.replace(record, peak_mb=peak)
            except memory.MeasurementError as error:
                failed.append(f"memory of {error}")
        out.append(record)
    return out, failed


def unmeasured(contestants: Field, count: int) -> list[Record]:
    """Returns records without times, for those who want memory alone."""
    return [
        _blank(Part.MEMORY, entry.contestant, BOTH, count)
        for entry in contestants.entries
        if not entry.contestant.compiles
    ]


def _warm_up(entry: Entry, count: int, contestants: Field) -> float:
    def run() -> None:
        entry.contestant.warm_up(count, contestants.network, contestants.device)

    return timed(run, contestants.device)[0]


def _run_beside_gemm(
    lanes: list[Lane[Answer]], precisions: set[Precision], rounds: int, device: torch.device
) -> dict[Precision, float]:
    """Runs the lanes and, in the same rounds, a product of each precision; returns its multiply-adds a second."""
    products = {precision: Lane.of(flops.gemm_job(precision, device)) for precision in precisions}
    alternate([*lanes, *products.values()], rounds, device)
    return {p: flops.GEMM_MULTIPLY_ADDS / float(np.median(lane.times_s)) for p, lane in products.items()}


def _blank(part: Part, contestant: Contestant, variant: str, count: int) -> Record:
    return Record(part, contestant.name, contestant.engine, contestant.peer, variant, contestant.precision.value, count)


def _record(
    part: Part, entry: Entry, variant: str, count: int, lane: Lane[Answer], reference: dict[int, Answer]
) -> Record:
    answers = lane.answers
    agreements = [agreement(answer, reference[i]) for i, answer in answers.items()]
    known = [value for value in agreements if value is not None]
    return dataclasses.replace(
        _blank(part, entry.contestant, variant, count),
        statistics=Statistics.of(lane.times_s),
        stop_layer=float(np.mean([a.stop_layer for a in answers.values()])),
        kept_ratio=float(np.mean([a.kept_ratio for a in answers.values()])),
        matches=float(np.mean([len(a.indices0) for a in answers.values()])),
        compilations=entry.contestant.compilations,
        agreement=float(np.mean(known)) if known else None,
    )


def _with_first(record: Record, contestant: Contestant, first_s: float, build_s: float) -> Record:
    assert record.statistics is not None  # for the type checker
    compile_s = max(0.0, first_s - 1e-3 * record.statistics.median_ms)
    compiled = contestant.compiles or bool(contestant.compilations)
    return dataclasses.replace(record, build_s=build_s, warm_up_s=first_s, compile_s=compile_s if compiled else None)


def _with_gemm(record: Record, lane: Lane[Answer], rate: float, work: int) -> Record:
    fraction = work / float(np.median(lane.times_s)) / rate
    return dataclasses.replace(record, gemm_gflops=2e-9 * rate, gemm_fraction=fraction)
