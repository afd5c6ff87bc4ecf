# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Geometry of two views: `estimate_two_view` is the way in, the rest are its results."""

from lightmatch_ros.core.geometry.results import (
    HomographyEstimate,
    PoseEstimate,
    PoseModel,
    Reason,
    TwoView,
)
from lightmatch_ros.core.geometry.two_view import estimate_two_view

__all__ = [
    "HomographyEstimate",
    "PoseEstimate",
    "PoseModel",
    "Reason",
    "TwoView",
    "estimate_two_view",
]
