# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Taking times: who runs when, and what of the times is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Statistics:
    """Of the times of one contestant.

    Attributes:
        median_ms: half of the matches took no longer.
        iqr_ms: from the first quartile to the third.
        p99_ms: 99 of 100 took no longer; near the slowest where the repetitions are fewer than 100.
        repetitions: number of times.
    """

    median_ms: float
    iqr_ms: float
    p99_ms: float
    repetitions: int

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Statistics:
        """Sums up one or more times, s."""
        first, median, third, p99 = np.percentile(np.multiply(times_s, 1e3), [25, 50, 75, 99]).tolist()
        return cls(median, third - first, p99, len(times_s))


@dataclass(frozen=True, eq=False)
class Lane(Generic[T]):
    """What one contestant runs, round after round.

    Attributes:
        jobs: the r-th round runs job r, from the start again after the last.
        times_s: filled in, one for each round.
        answers: of the jobs, the latest, filled in.
    """

    jobs: Sequence[Callable[[], T]]
    times_s: list[float]
    answers: dict[int, T]

    @classmethod
    def of(cls, *jobs: Callable[[], T]) -> Lane[T]:
        """A lane that has not run yet."""
        return cls(jobs, [], {})


def alternate(lanes: Sequence[Lane[Any]], rounds: int, device: torch.device) -> None:
    """Runs all lanes in turn, once in each round: what slows the machine down for a while slows all of them.

    Before the first round each lane runs once untimed, which brings its memory and its caches back after the others.
    """
    for lane in lanes:
        lane.jobs[0]()
    for r in range(rounds):
        for lane in lanes:
            index = r % len(lane.jobs)
            seconds, lane.answers[index] = timed(lane.jobs[index], device)
            lane.times_s.append(seconds)


def timed(job: Callable[[], T], device: torch.device) -> tuple[float, T]:
    """Returns how long the job took until the device was done, s, and its answer."""
    _wait(device)
    started = time.perf_counter()
    answer = job()
    _wait(device)
    return time.perf_counter() - started, answer


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # sync: the clock is the host's
