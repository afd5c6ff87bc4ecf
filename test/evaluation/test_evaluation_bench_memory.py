# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Memory against allocations of known size."""

import sys

import numpy as np
import pytest
import torch

from lightmatch_ros.evaluation.bench import memory

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_growth_sees_memory_that_is_freed_again():
    def job():
        np.ones(96 * memory.MB, np.uint8).sum()

    assert 90 <= memory.growth_bytes(job) / memory.MB <= 120


def test_no_growth_without_allocation():
    assert memory.growth_bytes(lambda: sum(range(1000))) / memory.MB < 8


def test_a_failing_job_fails():
    with pytest.raises(ZeroDivisionError):
        memory.growth_bytes(lambda: 1 // 0)


def test_peak_of_a_match():
    """The reference holds the assignment of M x N as float32, several times, and no more than 32 times."""
    matrix_mb = 4 * 1500**2 / memory.MB
    assert 2 * matrix_mb < memory.peak_mb("eager", 1500, CPU) < 32 * matrix_mb


def test_no_answer_is_an_error():
    with pytest.raises(memory.MeasurementError, match="wanted one of"):
        memory.peak_mb("no-such-matcher", 32, CPU)
