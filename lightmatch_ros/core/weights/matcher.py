# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which matcher weights a configuration asks for, and the settings that they were made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights.checkpoint import load_state_dict, read_metadata, sha256_of
from lightmatch_ros.core.weights.download import Progress
from lightmatch_ros.core.weights.locate import absent_message, find, locate
from lightmatch_ros.core.weights.registry import (
    ENTRIES,
    MatcherDefaults,
    WeightsEntry,
    WeightsKind,
    default_matchers,
    get_entry,
)

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class MatcherWeights:
    """Matcher weights, read.

    Attributes:
        name: registry name, or the file's name where the registry does not know it.
        path: the file that they were read from.
        tensors: by key, on the CPU.
        defaults: settings that the weights were made for.
    """

    name: str
    path: Path
    tensors: Mapping[str, Tensor]
    defaults: MatcherDefaults


def load_matcher(
    weights: str, features: str, *, download: bool = True, progress: Progress | None = None
) -> MatcherWeights:
    """Finds and reads the matcher weights for an extractor.

    The settings and the features that a file's metadata states go before the registry's.

    Args:
        weights: "auto", a registry name, or the path of a checkpoint.
        features: the extractor's name.
        download: fetch a file that is not on this machine.
        progress: told how the download gets on.

    Raises:
        WeightsError: absent, damaged, unknown, or made for other features.
    """
    entry = _requested_entry(weights, features)
    path = Path(weights).expanduser() if entry is None else locate(entry, download=download, progress=progress).path
    entry = entry or recognise(path)
    metadata = read_metadata(path)
    made_for = tuple(metadata.get("features", "").split()) or (entry.features if entry else ())
    if made_for and features not in made_for:
        raise WeightsError(f"{path} is for the features {', '.join(made_for)}, wanted {features}")
    defaults = with_metadata(entry.defaults if entry else MatcherDefaults(), metadata)
    return MatcherWeights(entry.name if entry else path.name, path, load_state_dict(path, entry), defaults)


def choose_default(features: str) -> WeightsEntry:
    """Returns the weights that "auto" means: the best that is on this machine, else the best that can be downloaded.

    Raises:
        WeightsError: there are none for these features, or none on this machine and none to download.
    """
    candidates = [get_entry(name) for name in default_matchers(features)]
    if not candidates:
        raise WeightsError(f"no LightGlue weights are known for {features}; name a checkpoint file that fits them")
    chosen = next((e for e in candidates if find(e)), None) or next((e for e in candidates if e.download), None)
    if chosen is None:
        raise WeightsError(absent_message(candidates[0]))
    return chosen


def recognise(path: Path) -> WeightsEntry | None:
    """Returns the matcher weights that a file is, by name and digest; None where it is not a known one.

    Raises:
        WeightsError: the file cannot be read.
    """
    for entry in ENTRIES.values():
        if entry.kind is WeightsKind.MATCHER and path.name in entry.filenames:
            known = [file.sha256 for file in entry.files if file.filename == path.name]
            return entry if None in known or sha256_of(path) in known else None
    return None


def with_metadata(defaults: MatcherDefaults, metadata: Mapping[str, str]) -> MatcherDefaults:
    """Returns the settings with those that a file's metadata states, under the names of the attributes.

    Raises:
        WeightsError: text where a number is wanted.
    """

    def number(name: str, default: float) -> float:
        try:
            return float(metadata.get(name, default))
        except ValueError as error:
            raise WeightsError(f"metadata {name}: got {metadata[name]!r}, wanted a number") from error

    return MatcherDefaults(
        depth_confidence=number("depth_confidence", defaults.depth_confidence),
        width_confidence=number("width_confidence", defaults.width_confidence),
        filter_threshold=number("filter_threshold", defaults.filter_threshold),
        scale_coef=number("scale_coef", defaults.scale_coef),
        scale_encoding=metadata.get("scale_encoding", defaults.scale_encoding),
    )


def _requested_entry(weights: str, features: str) -> WeightsEntry | None:
    """The registry's weights that are asked for; None for a checkpoint file."""
    if weights == AUTO:
        return choose_default(features)
    if weights not in ENTRIES:
        if Path(weights).expanduser().is_file():
            return None
        if Path(weights).name != weights:
            raise WeightsError(f"no such checkpoint file: {weights}")
    entry = get_entry(weights)
    if entry.kind is not WeightsKind.MATCHER:
        raise WeightsError(f"{weights!r} are an extractor's weights, wanted a matcher's, or auto")
    if features not in entry.features:  # before anything is downloaded
        raise WeightsError(f"{weights} is for the features {', '.join(entry.features)}, wanted {features}")
    return entry
