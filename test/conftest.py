# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the tests share."""

import os
from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read where kernels are defined: they then run on a CPU

# Beside the repository, not in it: data and weights that are not ours to redistribute.
SHARED = Path(__file__).resolve().parents[2] / "shared"


def _existing(name: str) -> Path:
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"no ../shared/{name} beside the repository")
    return path


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Pretrained weights."""
    return _existing("weights")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Image sequences with ground truth."""
    return _existing("data")
