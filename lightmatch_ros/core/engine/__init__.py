# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Engines: ways to run a LightGlue network that give the same answers."""

from lightmatch_ros.core.engine.cpu import CpuEngine
from lightmatch_ros.core.engine.eager import EagerEngine
from lightmatch_ros.core.engine.interface import Engine, Precision, Prepared

__all__ = ["CpuEngine", "EagerEngine", "Engine", "Precision", "Prepared"]
