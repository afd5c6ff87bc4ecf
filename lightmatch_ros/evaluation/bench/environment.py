# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a figure depends on besides the code: machine, versions, threads, allocator, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from lightmatch_ros import __version__
from lightmatch_ros.core.engine.cache import processor_name
from lightmatch_ros.core.engine.malloc import keep_freed_memory
from lightmatch_ros.evaluation.report import Json

_PACKAGES = ("torch", "kornia", "numpy", "opencv-python-headless", "transformers", "onnxruntime")
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY", "OMP_PROC_BIND", "LD_PRELOAD", "MALLOC_CONF")
_GIT_TIMEOUT_S = 10


def describe(device: torch.device) -> dict[str, Json]:
    """Returns it all; sets the allocator for the whole process, so that peers profit from it as well."""
    return {
        "device": device_name(device),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "malloc": dict(keep_freed_memory()),
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "version": __version__,
        "commit": commit(Path(__file__).parent),
        "versions": {"python": platform.python_version(), **_versions()},
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": list(os.getloadavg()),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def device_name(device: torch.device) -> str:
    """Returns "cpu", or the GPU's name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def commit(folder: Path) -> str | None:
    """Returns the commit that a folder is at, "+" where files were changed since; None where git does not know."""
    head = _git(folder, "rev-parse", "HEAD")
    return head and head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _versions() -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
