# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Local features: one adapter for each extractor."""

from __future__ import annotations

import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.product import default_precision
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.features.base import Extractor
from lightmatch_ros.core.features.sift import SiftExtractor
from lightmatch_ros.core.weights import Progress, get_entry, load_state_dict, locate

__all__ = ["Extractor", "SiftExtractor", "create_extractor"]


def create_extractor(
    config: MatcherConfig,
    device: torch.device,
    *,
    precision: Precision | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> Extractor:
    """Builds the extractor that the configuration asks for.

    Args:
        config: its features, max_keypoints and resize count.
        device: where networks run and descriptors go.
        precision: of XFeat's convolutions; keypoints' places do not depend on it. The others are float32 alone.
            None = as the configuration says.
        download: fetch weights that are not on this machine.
        progress: told how a download gets on.

    Raises:
        WeightsError: weights that are absent, damaged or do not fit.
        ConfigurationError: unknown features.
    """
    budget, resize = config.max_keypoints, config.resize
    if config.features == "sift":
        return SiftExtractor(device, budget, resize)
    if config.features not in ("xfeat", "aliked-n16", "aliked-t16"):
        raise ConfigurationError(f"features {config.features!r}, wanted sift, xfeat, aliked-n16 or aliked-t16")
    entry = get_entry(config.features)
    tensors = load_state_dict(locate(entry, download=download, progress=progress).path, entry)
    # Imported where needed: kornia takes seconds, and SIFT does without.
    if config.features == "xfeat":
        from lightmatch_ros.core.features.xfeat import XFeatExtractor

        chosen = precision or _precision(config, device)
        return XFeatExtractor(tensors, device, budget, resize, precision=chosen)
    from lightmatch_ros.core.features.aliked import AlikedExtractor

    return AlikedExtractor(config.features, tensors, device, budget, resize)


def _precision(config: MatcherConfig, device: torch.device) -> Precision:
    if config.precision != "auto":
        return Precision(config.precision)
    return default_precision(device) if config.engine != "eager" else Precision.FP32
