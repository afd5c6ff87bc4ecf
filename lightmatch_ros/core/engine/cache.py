# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where engines keep on disk what they have found out about this machine, and what the machine is."""

from __future__ import annotations

import functools
import os
from pathlib import Path


def cache_folder() -> Path:
    """Returns the folder, which may not exist: $LIGHTMATCH_CACHE, else lightmatch_ros in the user's cache folder."""
    if own := os.environ.get("LIGHTMATCH_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lightmatch_ros"


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
