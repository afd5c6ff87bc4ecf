# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where engines keep on disk what they have found out about this machine, and what the machine is."""

from __future__ import annotations

import functools
from pathlib import Path

from lightmatch_ros.core.weights.locate import cache_directory


def cache_folder() -> Path:
    """Returns the folder, which may not exist, beside the downloaded weights."""
    return cache_directory() / "engine"


@functools.cache
def processor_flags() -> frozenset[str]:
    """Returns what the processor can do, as Linux calls it, such as "avx512_bf16"; empty where that is unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    found = [line.partition(":")[2] for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return frozenset(found[0].split()) if found else frozenset()


def processor() -> str:
    """Returns a text that is the same for equal processors alone."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return " ".join([*names[:1], *sorted(processor_flags())])
