# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What computes: the device by its name, and the threads of a CPU."""

from __future__ import annotations

import cv2
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


def limit_threads(count: int) -> None:
    """Sets how many threads torch, when called from this thread, and OpenCV use; 0 leaves both as they are."""
    if count:
        torch.set_num_threads(count)
        cv2.setNumThreads(count)
