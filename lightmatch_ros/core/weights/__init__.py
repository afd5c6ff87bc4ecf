# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Pretrained weights: what is known, where it is, and reading it safely."""

from lightmatch_ros.core.weights.checkpoint import (
    load_into,
    load_state_dict,
    read_metadata,
    sha256_of,
    verify,
)
from lightmatch_ros.core.weights.download import Progress, fetch
from lightmatch_ros.core.weights.locate import FoundWeights, cache_directory, find, locate, search_directories
from lightmatch_ros.core.weights.matcher import MatcherWeights, choose_default, load_matcher
from lightmatch_ros.core.weights.registry import (
    ENTRIES,
    MatcherDefaults,
    WeightsEntry,
    WeightsFile,
    WeightsKind,
    default_matchers,
    get_entry,
)

__all__ = [
    "ENTRIES",
    "FoundWeights",
    "MatcherDefaults",
    "MatcherWeights",
    "Progress",
    "WeightsEntry",
    "WeightsFile",
    "WeightsKind",
    "cache_directory",
    "choose_default",
    "default_matchers",
    "fetch",
    "find",
    "get_entry",
    "load_into",
    "load_matcher",
    "load_state_dict",
    "locate",
    "read_metadata",
    "search_directories",
    "sha256_of",
    "verify",
]
