# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs: capture, replay, and nodes under a condition on the device.

Not yet measured on a GPU. Needs a CUDA device; one thread captures and replays.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cuda.schedule import Body, Branch, both_ways

# Of what is measured before the first match.
_REPLAYS = 10


def conditional_nodes() -> bool:
    """Tells whether this torch can capture conditional nodes (2.13, built for CUDA 12.4 or later)."""
    version = torch.version.cuda
    if version is None or not hasattr(torch.cuda.CUDAGraph, "begin_capture_to_if_node"):
        return False
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= (12, 4)


def captured_branch(condition: Tensor, body: Body) -> None:
    """Records a body that a replay runs where the condition, () bool on the device, is true."""
    graph = torch.cuda.CUDAGraph.get_currently_capturing_graph()
    graph.begin_capture_to_if_node(condition)  # type: ignore[no-untyped-call]
    try:
        body()
        _free_product_workspaces()
    finally:
        graph.end_capture_to_conditional_node()  # type: ignore[no-untyped-call]


class GraphCapture:
    """Captures bodies into graphs that share one memory pool.

    The pool holds what a body allocates in passing; as graphs replay one after the other on one stream, they may use
    the same memory. What outlives a replay belongs in buffers from outside.

    Args:
        device: of the bodies.
    """

    def __init__(self, device: torch.device) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, body: Body) -> Body:
        """Runs the body once, so that libraries and kernels are loaded, captures it and returns its replay."""
        self._warm(body)
        graph = torch.cuda.CUDAGraph()
        # thread_local: what other threads do on the device in the meantime does not spoil the capture.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            body()
            _free_product_workspaces()
        return graph.replay

    def _warm(self, body: Body) -> None:
        stream = self._stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            body()
        torch.cuda.current_stream().wait_stream(stream)


class CapturedBranch:
    """`captured_branch` inside a capture, both ways outside: the run before a capture loads every kernel."""

    def __call__(self, condition: Tensor, body: Body) -> None:
        """See `schedule.Branch`."""
        branch: Branch = captured_branch if torch.cuda.is_current_stream_capturing() else both_ways
        branch(condition, body)


def replay_s(replay: Body) -> float:
    """Returns the least time of a few replays on the current stream, s."""
    times: list[float] = []
    for _ in range(_REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        replay()
        end.record()
        end.synchronize()  # sync: before the first match, to choose what it runs
        times.append(1e-3 * start.elapsed_time(end))
    return min(times)


def _free_product_workspaces() -> None:
    """Gives the matrix library's workspace back to the graph's pool.

    torch keeps one for each stream, up to 32 MB on Hopper, and every conditional node is captured on a stream of its
    own: without this, each would hold one for good.
    """
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if clear is not None:
        clear()
