# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Arrays on their way to a device. The way through pinned memory is not yet measured on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """Returns a copy on the device; to CUDA through pinned memory, without a wait.

    torch keeps pinned memory for the next array, and gives it out again only when the copy from it is done.

    Args:
        array: of any shape and a type that torch knows; may be read-only.
        device: any.
    """
    if device.type != "cuda":
        return torch.tensor(array, device=device)
    dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
    pinned = torch.empty(array.shape, dtype=dtype, pin_memory=True)
    np.copyto(pinned.numpy(), array)
    return pinned.to(device, non_blocking=True)
