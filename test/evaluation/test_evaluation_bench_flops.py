# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The counted multiply-adds against torch's own counter."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.lightglue import Architecture, LightGlue
from lightmatch_ros.core.lightglue.adaptive import FULL
from lightmatch_ros.evaluation.bench import flops
from lightmatch_ros.evaluation.bench.workload import random_pair


@pytest.mark.parametrize("counts", [(64, 64), (300, 40), (700, 600)])
@pytest.mark.parametrize(
    "architecture",
    [Architecture(n_layers=2), Architecture(input_dim=64, descriptor_dim=96, num_heads=1, n_layers=3)],
    ids=["official", "lighterglue"],
)
def test_counts_are_torchs(architecture, counts):
    network = LightGlue(architecture).eval()
    pair = random_pair(architecture, counts, torch.device("cpu"))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # it knows no fused CPU attention
        network(*pair, FULL, 0.1)
    assert 2 * flops.multiply_adds(architecture, *counts) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_gemm_job_does_what_it_is_counted_for():
    job = flops.gemm_job(Precision.FP32, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        job()
    assert counter.get_total_flops() == 2 * flops.GEMM_MULTIPLY_ADDS


def test_gflops():
    assert flops.gflops(10**9, 0.5) == pytest.approx(4)
