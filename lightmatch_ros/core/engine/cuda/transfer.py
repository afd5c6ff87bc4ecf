# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The way to the device and back: one copy in, one copy out, one event."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda.state import Ports, read_answer, write_request
from lightmatch_ros.core.lightglue import Adaptivity, NetworkOutput


class Slot:
    """A request and an answer on the host, in pinned memory where the device is CUDA.

    A program has two and uses them in turn: while the device writes into one, the other is read. A slot is free again
    after `receive`, whose results are copies.

    Args:
        ports: the program's.
    """

    def __init__(self, ports: Ports) -> None:
        pinned = ports.x.is_cuda
        self._request = torch.zeros(ports.request.words.shape, dtype=torch.int32, pin_memory=pinned)
        self._answer = torch.zeros(ports.answer.words.shape, dtype=torch.int32, pin_memory=pinned)
        self._arrived = torch.cuda.Event() if pinned else None  # type: ignore[no-untyped-call]
        self._ports = ports

    def send(self, counts: Sequence[tuple[int, int]], adaptivity: Adaptivity, filter_threshold: float) -> None:
        """Writes a request and starts it on its way."""
        write_request(self._request, counts, adaptivity, filter_threshold)
        self._ports.request.words.copy_(self._request, non_blocking=True)

    def fetch(self) -> None:
        """Starts the answer on its way; the next match on this stream writes the device's copy only after that."""
        self._answer.copy_(self._ports.answer.words, non_blocking=True)
        if self._arrived is not None:
            self._arrived.record()

    def receive(self, counts: Sequence[tuple[int, int]]) -> list[NetworkOutput]:
        """Waits for the answer and reads it, for pairs that came in with these counts."""
        if self._arrived is not None:
            self._arrived.synchronize()  # sync: the answer, the only wait of a match
        return [read_answer(words, pair) for words, pair in zip(self._answer, counts, strict=False)]


class DeviceFlags:
    """Flags on their way to a host that is one layer behind; see `schedule.FlagReader`.

    Args:
        flags: (L + 1, W) bool on a CUDA device.
    """

    def __init__(self, flags: Tensor) -> None:
        self._flags = flags
        self._here = torch.zeros(flags.shape, dtype=torch.bool, pin_memory=True)
        self._arrived = [torch.cuda.Event() for _ in flags]  # type: ignore[no-untyped-call]

    def send(self, step: int) -> None:
        """See `FlagReader.send`."""
        self._here[step].copy_(self._flags[step], non_blocking=True)
        self._arrived[step].record()

    def receive(self, step: int) -> list[bool]:
        """See `FlagReader.receive`."""
        self._arrived[step].synchronize()  # sync: layer step - 1's decisions, while layer step runs
        flags: list[bool] = self._here[step].tolist()
        return flags
