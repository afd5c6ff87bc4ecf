# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The matcher without ROS: images in, correspondences, homographies and relative poses out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig, NodeConfig

if TYPE_CHECKING:
    from lightmatch_ros.core.pair import PairMatcher, PairResult

__all__ = ["GeometryConfig", "KeyframeConfig", "MatcherConfig", "NodeConfig", "PairMatcher", "PairResult"]


def __getattr__(name: str) -> Any:
    """Imports the matcher, and torch with it, only where it is used."""
    if name in ("PairMatcher", "PairResult"):
        from lightmatch_ros.core import pair

        return getattr(pair, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
