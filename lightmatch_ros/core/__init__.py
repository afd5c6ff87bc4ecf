# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The matcher without ROS: images in, correspondences, homographies and relative poses out."""

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig, NodeConfig
from lightmatch_ros.core.pair import PairMatcher, PairResult

__all__ = ["GeometryConfig", "KeyframeConfig", "MatcherConfig", "NodeConfig", "PairMatcher", "PairResult"]
