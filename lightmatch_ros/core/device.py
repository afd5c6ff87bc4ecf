# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From the name of a compute device to the device."""

from __future__ import annotations

import torch

from lightmatch_ros.core.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """Returns the device of that name; "auto" is the first CUDA device where there is one, else the CPU.

    Raises:
        DeviceError: not a device's name, or a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise DeviceError(f"device {name!r}, wanted auto, cpu, cuda or cuda:N")
    if kind == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        raise DeviceError(f"device {name!r} was asked for, this machine has {count} CUDA devices")
    return torch.device("cuda", int(index or 0))
