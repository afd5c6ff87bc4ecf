# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How much memory a match takes on top of the weights: measured in a process that does nothing else.

Run as a module it is that process: ``python -m lightmatch_ros.evaluation.bench.memory NAME COUNT DEVICE THREADS``.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import torch

from lightmatch_ros.core.device import limit_threads
from lightmatch_ros.core.errors import LightmatchError
from lightmatch_ros.evaluation.bench.contestants import ENGINES, Contestant, own
from lightmatch_ros.evaluation.bench.peers import build_peer
from lightmatch_ros.evaluation.bench.workload import random_network, random_pair

MB = 1 << 20
# A match of this many points comes first: libraries, thread pools and code pages are not the match's memory.
_FIRST_COUNT = 64
_SAMPLE_PERIOD_S = 0.001
_TIMEOUT_S = 3600


class MeasurementError(LightmatchError):
    """The process that measures did not come to an end, as where memory ran out."""


def peak_mb(name: str, count: int, device: torch.device) -> float:
    """Returns the most that a match took, MB of 2^20 bytes, above the weights and the points themselves.

    On a CPU the growth of the resident memory from before the match to its peak; for CUDA what torch allocated, with
    the warm-up.

    Raises:
        MeasurementError: no answer.
    """
    words = [name, str(count), str(device), str(torch.get_num_threads())]
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, *words], capture_output=True, text=True, timeout=_TIMEOUT_S
        )
        return float(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"{name}: no answer after {_TIMEOUT_S} s") from error
    except ValueError as error:
        reason = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise MeasurementError(f"{name}: exit status {done.returncode}, {reason}") from error


def growth_bytes(job: Callable[[], object]) -> int:
    """Returns how far the resident memory rose above its level before the job, while it ran.

    A thread samples it; where the process rises above all it ever had, the system's own record is exact. What the
    allocator still keeps of earlier work goes back first: the job could reuse it unseen.
    """
    _give_back_freed_memory()
    before, known_peak = _resident_bytes(), _highest_bytes()
    peak, done = [before], threading.Event()

    def sample() -> None:
        while not done.wait(_SAMPLE_PERIOD_S):
            peak[0] = max(peak[0], _resident_bytes())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        job()
    finally:
        done.set()
        thread.join()
    if _highest_bytes() > known_peak:
        peak.append(_highest_bytes())
    return max(peak) - before


def _give_back_freed_memory() -> None:
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _highest_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _measure(name: str, count: int, device: torch.device) -> float:
    network = random_network()
    contestant: Contestant
    if name in ENGINES:
        contestant = own(name, network, device)
    else:
        contestant = build_peer(name, network.to(device), device, [count])
    if device.type == "cuda":
        return _measure_cuda(contestant, count, device)
    contestant.warm_up(_FIRST_COUNT, network, device)
    job = contestant.job(*random_pair(network.architecture, (count, count), device))
    return growth_bytes(job) / MB


def _measure_cuda(contestant: Contestant, count: int, device: torch.device) -> float:
    network = random_network()
    pair = random_pair(network.architecture, (count, count), device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    contestant.warm_up(count, network, device)
    contestant.job(*pair)()
    torch.cuda.synchronize(device)  # sync: the peak is known when the match is over
    return (torch.cuda.max_memory_allocated(device) - before) / MB


def main() -> None:
    """Writes the figure to standard output."""
    name, count, device, threads = sys.argv[1:]
    limit_threads(int(threads))
    sys.stdout.write(f"{_measure(name, int(count), torch.device(device))}\n")
    sys.stdout.flush()
    os._exit(0)  # compilers leave threads behind that outlive the measurement


if __name__ == "__main__":
    main()
