# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from lightmatch_ros.core.device import choose_device
from lightmatch_ros.core.errors import DeviceError


def test_auto_is_there():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_cpu():
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "CPU", "mps"])
def test_unknown_names_are_refused(name):
    if name == "cuda:" and torch.cuda.is_available():
        pytest.skip("cuda: is the first device here")
    with pytest.raises(DeviceError):
        choose_device(name)


def test_absent_cuda_device_is_named():
    with pytest.raises(DeviceError, match=r"'cuda:99' was asked for, this machine has \d+ CUDA devices"):
        choose_device("cuda:99")
