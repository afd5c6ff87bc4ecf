# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A function of one tensor as CUDA graphs, one for each shape. Not yet measured on a GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda.graphs import GraphCapture
from lightmatch_ros.core.engine.cuda.schedule import Capture

# Shapes that are captured. Guess: the cameras of one node have fewer sizes of image.
MAX_SHAPES = 8

Function = Callable[[Tensor], tuple[Tensor, ...]]
Key = tuple[torch.Size, torch.dtype]


class GraphedFunction:
    """Captures a function for the first shapes that it sees; for any beyond a limit it runs uncaptured.

    None goes for another: with more shapes in turn than the limit, each call would capture. What a call returns is a
    copy, which no later call writes to. Not thread-safe.

    Args:
        function: takes a tensor to tensors of shapes that follow from its shape; launches kernels and never waits.
        capture: takes a body, which it runs, to its replay; `graphs.GraphCapture`.
        limit: most shapes that are captured.

    Attributes:
        captures: so far.
    """

    def __init__(self, function: Function, capture: Capture, limit: int = MAX_SHAPES) -> None:
        self.captures = 0
        self._function = function
        self._capture = capture
        self._limit = limit
        self._programs: dict[Key, _Program] = {}

    def __call__(self, argument: Tensor) -> tuple[Tensor, ...]:
        """Returns what the function does, on the current stream."""
        key = argument.shape, argument.dtype
        if key not in self._programs:
            if len(self._programs) >= self._limit:
                return self._function(argument)
            self._programs[key] = _Program(self._function, argument, self._capture)
            self.captures += 1
        return self._programs[key].run(argument)


def graphed(function: Function, device: torch.device) -> Function:
    """Returns the function, on CUDA as graphs."""
    return GraphedFunction(function, GraphCapture(device)) if device.type == "cuda" else function


class _Program:
    """A function at fixed addresses. The outputs are kept, so that no other graph gets their memory."""

    def __init__(self, function: Function, example: Tensor, capture: Capture) -> None:
        self._function = function
        self._argument = example.clone()
        self._outputs: tuple[Tensor, ...] = ()
        self._replay = capture(self._body)

    def run(self, argument: Tensor) -> tuple[Tensor, ...]:
        self._argument.copy_(argument)
        self._replay()
        return tuple(output.clone() for output in self._outputs)

    def _body(self) -> None:
        self._outputs = self._function(self._argument)
