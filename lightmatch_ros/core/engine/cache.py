# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where engines keep on disk what they have found out about this machine, and what the machine is."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

from lightmatch_ros.core.weights.locate import cache_directory


def cache_folder() -> Path:
    """Returns the folder, which may not exist, beside the downloaded weights."""
    return cache_directory() / "engine"


@functools.cache
def processor_flags() -> frozenset[str]:
    """Returns what the processor can do, as Linux calls it, such as "avx512_bf16"; empty where that is unknown."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def processor_name() -> str:
    """Returns the processor's name, where that is unknown its kind."""
    return _cpuinfo("model name") or platform.machine()


def processor() -> str:
    """Returns a text that is the same for equal processors alone."""
    return " ".join([processor_name(), *sorted(processor_flags())])


def _cpuinfo(key: str) -> str:
    """The first value of a key in Linux's list of processors; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
