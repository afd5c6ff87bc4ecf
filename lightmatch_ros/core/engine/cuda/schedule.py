# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who decides, without waiting, which steps of a match run: the device itself, or a host that is one layer behind.

- `Plain`: one graph without conditions, for the fused kernels, which look at the device's counts themselves.
- `Whole`: one graph for the whole match, each layer once for each width under a condition that the device
  reads (conditional nodes). The host launches once.
- `LaunchAhead`, where torch has no conditional nodes: one graph for each layer and width. The host launches layer
  i + 1 before it knows what layer i decided, and reads that while layer i + 1 runs: too much by one layer at most,
  which then changes nothing, and never too narrow, since points only get fewer.

All are written against functions, ``capture`` and ``branch``, that have a form for CUDA (see `graphs`) and one for
the host.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from lightmatch_ros.core.engine.cuda.buckets import level_for
from lightmatch_ros.core.engine.cuda.program import MatchProgram

Body = Callable[[], None]
# Turns a body into what replays it.
Capture = Callable[[Body], Body]
# Runs or records a body that is to take place where the () bool tensor is true.
Branch = Callable[[Tensor, Body], None]


class Schedule(Protocol):
    """Runs a captured match."""

    def run(self, points: int, adaptive: bool) -> None:
        """Launches all steps; what they wrote is in the program's answer once the stream gets there.

        Args:
            points: of the largest image in the request.
            adaptive: pairs may end or lose points.
        """


class FlagReader(Protocol):
    """Tells the host what the device decided."""

    def send(self, step: int) -> None:
        """Starts a step's flags on their way; called after the launch of the step before."""

    def receive(self, step: int) -> list[bool]:
        """Returns a step's flags, (W,), when they have arrived."""


def run_whole(program: MatchProgram, branch: Branch) -> None:
    """Runs or records all steps, each under the device's condition."""
    flags = program.state.flags
    program.begin()
    for i in range(program.n_layers):
        for level in range(len(program.widths)):
            branch(flags[i, level], functools.partial(program.layer, i, level))
    program.choose_assignment()
    for level in range(len(program.widths)):
        branch(flags[program.n_layers, level], functools.partial(program.assign, level))
    program.finish()


class Plain:
    """A match captured whole, in two forms: with decisions and without.

    Args:
        launch: all steps; takes whether pairs may end or lose points.
        capture: see there.
        adaptive: whether the network can decide.
    """

    def __init__(self, launch: Callable[[bool], None], capture: Capture, adaptive: bool) -> None:
        self._replay = {a: capture(functools.partial(launch, a)) for a in {False, adaptive}}

    def run(self, points: int, adaptive: bool) -> None:
        """See `Schedule.run`."""
        self._replay[adaptive]()


class Whole:
    """A match captured whole, with conditions."""

    def __init__(self, program: MatchProgram, capture: Capture, branch: Branch) -> None:
        self._replay = capture(functools.partial(run_whole, program, branch))

    def run(self, points: int, adaptive: bool) -> None:
        """See `Schedule.run`."""
        self._replay()


class LaunchAhead:
    """A match captured step by step."""

    def __init__(self, program: MatchProgram, capture: Capture, reader: FlagReader) -> None:
        levels = range(len(program.widths))
        self._begin = capture(program.begin)
        self._layers = [
            [capture(functools.partial(program.layer, i, level)) for level in levels] for i in range(program.n_layers)
        ]
        self._assign = [capture(functools.partial(self._end, program, level)) for level in levels]
        self._widths = program.widths
        self._reader = reader
        self._alone = len(program.state.running) == 1

    def run(self, points: int, adaptive: bool) -> None:
        """See `Schedule.run`."""
        level = level_for(self._widths, points)
        self._begin()
        if adaptive:
            last = launch_ahead(len(self._layers), level, self._launch, self._reader)
            # A pair that ended before the others may have more points than those.
            level = last if self._alone else level
        else:
            for layer in self._layers:
                layer[level]()
        self._assign[level]()

    def _launch(self, i: int, level: int) -> None:
        self._layers[i][level]()

    @staticmethod
    def _end(program: MatchProgram, level: int) -> None:
        program.assign(level)
        program.finish()


def launch_ahead(n_layers: int, level: int, launch: Callable[[int, int], None], reader: FlagReader) -> int:
    """Launches layers, reading each one's decisions one layer behind.

    Args:
        n_layers: layers.
        level: of the first width.
        launch: of layer i at a level.
        reader: of the flags that layers write for the step after them.

    Returns:
        The level of the last layer launched that was wanted: it holds the points left of all pairs that ended last.
    """
    for i in range(n_layers):
        launch(i, level)
        if i + 1 < n_layers:
            reader.send(i + 1)
        if i:
            flags = reader.receive(i)
            if not any(flags):
                break
            level = flags.index(True)
    return level


def host_branch(condition: Tensor, body: Body) -> None:
    """Reads the condition and calls the body: for a CPU."""
    if condition.item():
        body()


def both_ways(_: Tensor, body: Body) -> None:
    """Calls the body whatever the condition: to load every kernel before a capture."""
    body()


class HostFlags:
    """Flags that are on the host already."""

    def __init__(self, flags: Tensor) -> None:
        self._flags = flags
        self._sent: dict[int, Sequence[bool]] = {}

    def send(self, step: int) -> None:
        """See `FlagReader.send`."""
        self._sent[step] = self._flags[step].tolist()

    def receive(self, step: int) -> list[bool]:
        """See `FlagReader.receive`."""
        return list(self._sent.pop(step))
