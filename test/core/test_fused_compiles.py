# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the compiler makes of the fused kernels for devices that need not be there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightmatch_ros.core.engine.cuda.fused import has_triton

pytestmark = pytest.mark.skipif(not has_triton(), reason="Triton is not installed")

ROOT = Path(__file__).parents[2]
PRODUCTS = {"project", "attend", "widen", "narrow", "describe", "normalise", "best"}
OTHERS = {"begin", "judge", "decide", "answer"}
# Bytes of shared memory that a program can have, by compute capability: Ada (the least), Hopper.
SHARED = {89: 99 << 10, 90: 227 << 10}


@pytest.mark.parametrize("capability", SHARED)
def test_kernels_compile_fit_and_use_tensor_cores(capability, tmp_path):
    results = tmp_path / "kernels.json"
    command = [sys.executable, "benchmarks/fused_kernels.py", "--capability", str(capability), "--json", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    kernels = json.loads(results.read_text())["kernels"]
    assert {kernel["name"] for kernel in kernels} == PRODUCTS | OTHERS
    for kernel in kernels:
        assert kernel["shared"] <= SHARED[capability], kernel
        assert kernel["spilled"] <= 16, kernel
        assert (kernel["products"] != "none") == (kernel["name"] in PRODUCTS), kernel
