# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Engines: ways to run a LightGlue network that give the same answers."""

from lightmatch_ros.core.engine.interface import Engine, Precision, Prepared
from lightmatch_ros.core.engine.select import create_engine
from lightmatch_ros.core.engine.tuning import Tuning, tune, untuned

__all__ = ["Engine", "Precision", "Prepared", "Tuning", "create_engine", "tune", "untuned"]
