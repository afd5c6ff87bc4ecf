# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Finds a weights file: in the package, in the user's directories, in the cache, or by download.

Search order: bundled with the package; the directories in the environment variable LIGHTMATCH_WEIGHTS; the user's
cache; download into the cache.
"""

from __future__ import annotations

import importlib.resources
import os
from dataclasses import dataclass
from pathlib import Path

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights.download import Progress, fetch
from lightmatch_ros.core.weights.registry import WeightsEntry

ENVIRONMENT_VARIABLE = "LIGHTMATCH_WEIGHTS"


@dataclass(frozen=True)
class FoundWeights:
    """A weights file on this machine.

    Attributes:
        path: the file.
        place: how it was found: "bundled", "LIGHTMATCH_WEIGHTS", "cache" or "downloaded".
    """

    path: Path
    place: str


def cache_directory() -> Path:
    """Returns where downloads go: $XDG_CACHE_HOME/lightmatch, or ~/.cache/lightmatch."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lightmatch"


def search_directories() -> list[tuple[str, Path]]:
    """Returns the directories that are searched after the package itself, in order, each with its place."""
    listed = os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep)
    directories = [(ENVIRONMENT_VARIABLE, Path(name).expanduser()) for name in listed if name]
    return [*directories, ("cache", cache_directory())]


def find(entry: WeightsEntry) -> FoundWeights | None:
    """Returns the first file on this machine that bears a name of the weights; it is not verified."""
    if entry.bundled:
        path = _bundled(entry.files[0].filename)
        if path.is_file():
            return FoundWeights(path, "bundled")
    for place, directory in search_directories():
        for name in entry.filenames:
            if (directory / name).is_file():
                return FoundWeights(directory / name, place)
    return None


def locate(entry: WeightsEntry, *, download: bool = True, progress: Progress | None = None) -> FoundWeights:
    """Returns the weights' file; reading it verifies it.

    Args:
        entry: the weights.
        download: fetch the file into the cache where it is not on this machine.
        progress: told how the download gets on.

    Raises:
        WeightsError: absent and not to be had, with what to put where.
    """
    found = find(entry)
    if found is not None:
        return found
    if entry.download is None or not download:
        raise WeightsError(absent_message(entry))
    return FoundWeights(fetch(entry.download, cache_directory(), progress=progress), "downloaded")


def absent_message(entry: WeightsEntry) -> str:
    """Returns which file is missing, where it comes from and where to put it."""
    looked = ", ".join(str(directory) for _, directory in search_directories())
    message = f"weights {entry.name!r} are absent: no {' or '.join(entry.filenames)} in {looked}"
    if entry.download is not None:
        return (
            f"{message}; download {entry.download.url} into one of them, or run: lightmatch weights fetch {entry.name}"
        )
    if entry.bundled:
        return f"{message}; they are part of the package, which is installed without them"
    return f"{message}; they cannot be downloaded: put the file there (see {entry.homepage})"


def _bundled(filename: str) -> Path:
    """Path in the installed package, which is never a zip archive (its setup says zip_safe = False)."""
    return Path(str(importlib.resources.files("lightmatch_ros") / "weights" / filename))
