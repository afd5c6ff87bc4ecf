# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue: the network, its adaptive decisions and its checkpoints."""

from lightmatch_ros.core.lightglue.adaptive import Adaptivity
from lightmatch_ros.core.lightglue.architecture import Architecture
from lightmatch_ros.core.lightglue.checkpoint import load_network
from lightmatch_ros.core.lightglue.network import LightGlue, NetworkOutput, Points

__all__ = ["Adaptivity", "Architecture", "LightGlue", "NetworkOutput", "Points", "load_network"]
