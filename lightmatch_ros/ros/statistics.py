# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the worker counted and timed; written by the worker, read by the executor."""

from __future__ import annotations

import resource
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import torch


@dataclass(frozen=True)
class Snapshot:
    """Counters since activation and the figures of the last frame; fields as in lightmatch_msgs/MatcherStatus."""

    processed: int = 0
    failed: int = 0
    queue_ms: float = 0.0
    extract_ms: float = 0.0
    match_ms: float = 0.0
    geometry_ms: float = 0.0
    publish_ms: float = 0.0
    total_ms: float = 0.0
    age_ms: float = 0.0
    matches: int = 0
    inliers: int = 0
    stop_layer: int = 0
    kept_ratio: float = 0.0
    last_error: str = ""


class Statistics:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Snapshot()

    @property
    def snapshot(self) -> Snapshot:
        """The present state."""
        with self._lock:
            return self._now

    def frame(self, **figures: float) -> None:
        """Counts a processed frame and keeps its figures."""
        with self._lock:
            self._now = replace(self._now, processed=self._now.processed + 1, **figures)

    def failure(self, reason: str) -> None:
        """Counts a frame that could not be processed."""
        with self._lock:
            self._now = replace(self._now, failed=self._now.failed + 1, last_error=reason)


def memory_mb(device: torch.device) -> float:
    """Memory of the process: reserved on a CUDA device, resident on a CPU; MB."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device) / 1e6
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
