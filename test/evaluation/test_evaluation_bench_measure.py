# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who runs when, and what is told of the times."""

import time

import pytest
import torch

from lightmatch_ros.evaluation.bench.measure import Lane, Statistics, alternate, timed

CPU = torch.device("cpu")


def test_statistics_of_known_times():
    found = Statistics.of([i * 1e-3 for i in range(101)])  # 0, 1, ..., 100 ms
    assert (found.median_ms, found.iqr_ms, found.p99_ms) == pytest.approx((50, 50, 99))
    assert found.repetitions == 101


def test_statistics_of_one_time():
    found = Statistics.of([0.25])
    assert (found.median_ms, found.iqr_ms, found.p99_ms, found.repetitions) == (250, 0, 250, 1)


def test_contestants_alternate():
    ran = []
    lanes = [Lane.of(lambda name=name: ran.append(name) or name) for name in "abc"]
    alternate(lanes, 4, CPU)
    assert "".join(ran) == "abc" + 4 * "abc"  # once untimed, then in turn
    assert [len(lane.times_s) for lane in lanes] == [4, 4, 4]
    assert [lane.answers for lane in lanes] == [{0: "a"}, {0: "b"}, {0: "c"}]


def test_each_round_runs_the_next_job():
    ran = []
    lanes = [Lane.of(*(lambda job=job: ran.append(job) or job for job in jobs)) for jobs in ((1, 2, 3), (7,))]
    alternate(lanes, 4, CPU)
    assert ran == [1, 7, *(1, 7, 2, 7, 3, 7, 1, 7)]
    assert lanes[0].answers == {0: 1, 1: 2, 2: 3}


def test_time_is_the_jobs():
    seconds, answer = timed(lambda: time.sleep(0.02) or 5, CPU)
    assert answer == 5
    assert 0.02 <= seconds < 20
