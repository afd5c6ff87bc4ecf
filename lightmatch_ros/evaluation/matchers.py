# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is compared: a matcher with the keypoints that it works on. Whoever names the same extractor gets the same ones.

The peers: SIFT with the ratio test, plain mutual nearest neighbours, and XFeat with the first three layers of
LighterGlue.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.device import choose_device
from lightmatch_ros.core.errors import ConfigurationError, WeightsError
from lightmatch_ros.core.features import Extractor, create_extractor
from lightmatch_ros.core.image import load_mask
from lightmatch_ros.core.matcher import create_matcher
from lightmatch_ros.core.types import Features, Matches
from lightmatch_ros.core.weights import load_matcher
from lightmatch_ros.core.weights.checkpoint import sha256_of
from lightmatch_ros.evaluation.datasets import Picture

RATIO = 0.8  # Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, section 7.1
XFEAT_PEER = "xfeat-lighterglue-l3"
PEERS = ("ratio", "mutual", XFEAT_PEER)
_CACHED_IMAGES = 256

Setting = str | int | float
MatchFunction = Callable[[Features, Features], Matches]


@dataclass(frozen=True, eq=False)
class Contestant:
    """One row of the table.

    Attributes:
        name: of the row.
        features: name of its extractor.
        match: features of both images to matches.
        settings: what was set, for the record.
        layered: it has layers: the stop layer says something.
        full_depth: name of the contestant that runs all layers, where this one adapts; else empty.
    """

    name: str
    features: str
    match: MatchFunction
    settings: Mapping[str, Setting]
    layered: bool = False
    full_depth: str = ""


@dataclass(eq=False)
class FeatureStore:
    """Extracts each picture once for all contestants. Keeps the latest pictures' features."""

    config: MatcherConfig
    device: torch.device
    _extractors: dict[str, Extractor] = field(default_factory=dict)
    _known: OrderedDict[tuple[str, str], Features] = field(default_factory=OrderedDict)

    def get(self, picture: Picture, features: str) -> Features:
        """Returns the picture's features by an extractor, by name."""
        key = (features, picture.key)
        if key not in self._known:
            if features not in self._extractors:
                self._extractors[features] = create_extractor(
                    dataclasses.replace(self.config, features=features), self.device
                )
            mask = load_mask(self.config.mask) if self.config.mask else None
            self._known[key] = self._extractors[features].extract(picture.read(), mask)
        while len(self._known) > _CACHED_IMAGES:
            self._known.popitem(last=False)
        return self._known[key]


def own_contestants(config: MatcherConfig) -> list[Contestant]:
    """The matcher that the configuration asks for; where it adapts, also at full depth.

    Raises:
        ConfigurationError: a matcher that cannot be built.
    """
    device = choose_device(config.device)
    found = load_matcher(config.weights, config.features)
    matcher = create_matcher(config, device)
    name = f"{config.features} + {found.name}"
    settings = _settings(config) | {
        "weights": found.name,
        "weights_sha256": sha256_of(found.path),
        "filter_threshold": matcher.filter_threshold or matcher.default_threshold,
        "depth_confidence": matcher.adaptivity.depth_confidence,
        "width_confidence": matcher.adaptivity.width_confidence,
        "layers": matcher.architecture.n_layers,
    }
    if not matcher.adaptivity.active:
        return [Contestant(name, config.features, matcher.match, settings, True)]
    off: dict[str, float] = {"depth_confidence": -1.0, "width_confidence": -1.0}
    full = create_matcher(dataclasses.replace(config, depth_confidence=-1.0, width_confidence=-1.0), device)
    full_name = f"{name}, full depth"
    return [
        Contestant(name, config.features, matcher.match, settings, True, full_name),
        Contestant(full_name, config.features, full.match, settings | off, True),
    ]


def peer(name: str, config: MatcherConfig) -> Contestant:
    """Builds a peer with the keypoint budget, size and device of the configuration.

    Raises:
        ConfigurationError: unknown.
        WeightsError: its weights are not on this machine.
    """
    if name == "ratio":
        settings = _settings(config) | {"features": "sift", "ratio": RATIO}
        return Contestant(f"sift + ratio {RATIO}", "sift", ratio_matcher(RATIO), settings)
    if name == "mutual":
        return Contestant("sift + mutual", "sift", ratio_matcher(1.0), _settings(config) | {"features": "sift"})
    if name != XFEAT_PEER:
        raise ConfigurationError(f"peer {name!r}, wanted one of {', '.join(PEERS)}")
    load_matcher(XFEAT_PEER, "xfeat", download=False)
    wanted = dataclasses.replace(
        config, features="xfeat", weights=XFEAT_PEER, depth_confidence=-1.0, width_confidence=-1.0
    )
    device = choose_device(config.device)
    create_extractor(wanted, device, download=False)  # says what is missing
    matcher = create_matcher(wanted, device)
    settings = _settings(wanted) | {"weights": XFEAT_PEER}
    return Contestant(f"xfeat + {XFEAT_PEER}", "xfeat", matcher.match, settings, True)


def contestants(config: MatcherConfig, peers: list[str]) -> tuple[list[Contestant], list[str]]:
    """Returns all rows, and for each peer that has no weights here one line that says so.

    Raises:
        ConfigurationError: an unknown peer, or a matcher that cannot be built.
    """
    rows, missing = own_contestants(config), []
    for name in peers:
        try:
            rows.append(peer(name, config))
        except WeightsError as error:
            missing.append(f"{name} is left out: {error}")
    return rows, missing


def ratio_matcher(ratio: float) -> MatchFunction:
    """Mutual nearest descriptors, nearer than ratio times the second nearest; 1 = mutual nearest, no more.

    Source: Lowe, IJCV 2004, section 7.1.
    """

    def match(features0: Features, features1: Features) -> Matches:
        if min(len(features0), len(features1)) < 2:
            return _matches(features0, features1, torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
        squared = 2 - 2 * features0.descriptors @ features1.descriptors.T  # (M, N), of unit vectors
        nearest, index = squared.clamp_min(0).sqrt().topk(2, 1, largest=False)  # (M, 2)
        rows = torch.arange(len(features0), device=index.device)
        good = squared.argmin(0)[index[:, 0]] == rows
        if ratio < 1:
            good &= nearest[:, 0] < ratio * nearest[:, 1]
        chosen = good.nonzero().squeeze(1)
        return _matches(features0, features1, chosen, index[chosen, 0])

    return match


def _matches(features0: Features, features1: Features, rows: torch.Tensor, columns: torch.Tensor) -> Matches:
    indices0, indices1 = rows.cpu().numpy(), columns.cpu().numpy()
    return Matches(
        points0=features0.keypoints[indices0],
        points1=features1.keypoints[indices1],
        scores=np.ones(len(indices0), np.float32),
        indices0=indices0,
        indices1=indices1,
        num_keypoints0=len(features0),
        num_keypoints1=len(features1),
        stop_layer=0,
        kept_ratio=1.0,
    )


def _settings(config: MatcherConfig) -> dict[str, Setting]:
    return {
        "features": config.features,
        "max_keypoints": config.max_keypoints,
        "resize": config.resize,
        "filter_threshold": config.filter_threshold,
    }
