# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""torch's errors of a device as the package's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lightmatch_ros.core.errors import DeviceLostError, DeviceMemoryError


@contextmanager
def device_errors(doing: str) -> Iterator[None]:
    """Turns torch's errors of a device into this package's.

    Args:
        doing: what is being done, for the message.

    Raises:
        DeviceMemoryError: out of memory.
        DeviceLostError: any other CUDA error: CUDA reports them late and keeps the context unusable after most.
    """
    try:
        yield
    except RuntimeError as error:
        no_memory = _no_memory(error)
        if no_memory is not None:
            raise DeviceMemoryError(f"out of device memory while {doing}: {_first_line(no_memory)}") from error
        if "CUDA error" not in str(error):
            raise
        raise DeviceLostError(f"CUDA device lost while {doing}, restart the process: {_first_line(error)}") from error


def _no_memory(error: BaseException | None) -> BaseException | None:
    """Finds the lack of memory behind an error: ending a capture that ran out of it raises another.

    The libraries that torch calls report theirs as a status, such as CUBLAS_STATUS_ALLOC_FAILED.
    """
    while error is not None and not (isinstance(error, torch.OutOfMemoryError) or "ALLOC_FAILED" in str(error)):
        error = error.__context__
    return error


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]
