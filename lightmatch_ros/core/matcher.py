# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From the features of two images to their matches, by LightGlue."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.engine import Engine, Precision, Prepared, create_engine, tune, untuned
from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue, NetworkOutput, Points, load_network
from lightmatch_ros.core.types import Features, FloatArray, Matches
from lightmatch_ros.core.weights import MatcherWeights, load_matcher

log = logging.getLogger(__name__)


class FeatureMatcher:
    """Matches the features of one pair at a time. Not thread-safe: one thread builds, warms up and runs it.

    What the engine makes of an image alone is kept as long as the image's features live: a keyframe's is made once.

    Args:
        engine: runs the network.
        architecture: the network's.
        adaptivity: early stopping and pruning.
        default_threshold: smallest score of a match that the weights were made for.
        device: where the engine runs and where descriptors have to be.
        resize: longer side that images were shrunk to for the extraction, pixels; 0 = not shrunk. The network was
            made for scales in pixels of the image that the extractor saw.

    Attributes:
        filter_threshold: smallest score of a match; 0 = the default. May be changed between matches.

    Raises:
        ConfigurationError: adaptivity without the heads that it needs.
    """

    def __init__(
        self,
        engine: Engine,
        architecture: Architecture,
        adaptivity: Adaptivity,
        default_threshold: float,
        device: torch.device,
        resize: int = 0,
    ) -> None:
        if adaptivity.active and not architecture.adaptive:
            raise ConfigurationError(
                "depth_confidence or width_confidence is set, these weights have no heads for it: set both to -1 or 0"
            )
        self.engine = engine
        self.architecture = architecture
        self.adaptivity = adaptivity
        self.default_threshold = default_threshold
        self.filter_threshold = 0.0
        self.device = device
        self.resize = resize
        self._prepared: WeakKeyDictionary[Features, Prepared] = WeakKeyDictionary()

    def match(self, features0: Features, features1: Features) -> Matches:
        """Matches image 0 (keyframe) with image 1 (current frame)."""
        return self.start(features0, features1)()

    def start(self, features0: Features, features1: Features) -> Callable[[], Matches]:
        """Begins a match and returns what waits for it; see `Engine.start`."""
        self._prepare(features0, features1)
        pair = self._prepared[features0], self._prepared[features1]
        collect = self.engine.start([pair], self.adaptivity, self.filter_threshold or self.default_threshold)

        def wait() -> Matches:
            (out,) = collect()
            return _matches(out, features0, features1)

        return wait

    def warm_up(self, counts: Sequence[int]) -> float:
        """Compiles what has to be compiled and runs images of these numbers of points; returns the time taken, s."""
        return self.engine.warm_up(counts)

    def kept_bytes(self, features: Features) -> int:
        """Returns the memory that the engine keeps for these features, bytes."""
        prepared = self._prepared.get(features)
        return prepared.nbytes if prepared else 0

    def _prepare(self, *images: Features) -> None:
        """Has the engine prepare the images that it does not know, together."""
        new = [features for features in dict.fromkeys(images) if features not in self._prepared]
        prepared = self.engine.prepare([self._points(features) for features in new]) if new else []
        self._prepared.update(zip(new, prepared, strict=True))

    def _points(self, features: Features) -> Points:
        def optional(array: FloatArray | None) -> torch.Tensor | None:
            return None if array is None else upload(array, self.device)

        scales = features.scales
        if scales is not None and self.resize:
            scales = scales * np.float32(min(1.0, self.resize / max(features.image_size)))
        return Points(
            upload(features.keypoints, self.device),
            features.descriptors,
            features.image_size,
            optional(scales),
            optional(features.orientations),
        )


def _matches(out: NetworkOutput, features0: Features, features1: Features) -> Matches:
    # sync: the one transfer of the answer; scores travel with the indices
    packed = torch.stack([out.indices0.double(), out.indices1.double(), out.scores.double()]).cpu().numpy()
    indices0, indices1 = packed[:2].astype("int64")
    num_points = len(features0) + len(features1)
    return Matches(
        points0=features0.keypoints[indices0],
        points1=features1.keypoints[indices1],
        scores=packed[2].astype("float32"),
        indices0=indices0,
        indices1=indices1,
        num_keypoints0=len(features0),
        num_keypoints1=len(features1),
        stop_layer=out.stop_layer,
        kept_ratio=out.num_kept / num_points if num_points else 1.0,
    )


def create_matcher(config: MatcherConfig, device: torch.device) -> FeatureMatcher:
    """Builds the matcher that the configuration asks for.

    Raises:
        WeightsError: no weights, or weights that do not fit.
        ConfigurationError: adaptivity that the weights cannot do.
    """
    weights = load_matcher(config.weights, config.features)
    defaults = weights.defaults
    network = load_network(weights.tensors, scale_coef=defaults.scale_coef, scale_encoding=defaults.scale_encoding)
    precision = None if config.precision == "auto" else Precision(config.precision)
    if config.tune and config.engine != "eager":
        tuning = tune(network, device, precision, config.max_keypoints)
    else:
        tuning = untuned(device, precision)
    adaptivity = dataclasses.replace(_adaptivity(config, weights, network), min_points=tuning.min_points)
    engine = create_engine(network, device, config.engine, tuning.precision, batches=(1,), tune=config.tune)
    matcher = FeatureMatcher(engine, network.architecture, adaptivity, defaults.filter_threshold, device, config.resize)
    matcher.filter_threshold = config.filter_threshold
    return matcher


def _adaptivity(config: MatcherConfig, weights: MatcherWeights, network: LightGlue) -> Adaptivity:
    """The user's values; where these are 0, those that the weights were made for."""
    if not network.architecture.adaptive and config.depth_confidence <= 0 and config.width_confidence <= 0:
        log.warning("%s: no confidence heads, adaptive depth and width are off", weights.name)
        return Adaptivity(-1, -1)
    wanted = Adaptivity(weights.defaults.depth_confidence, weights.defaults.width_confidence)
    if config.depth_confidence:
        wanted = dataclasses.replace(wanted, depth_confidence=config.depth_confidence)
    if config.width_confidence:
        wanted = dataclasses.replace(wanted, width_confidence=config.width_confidence)
    return wanted
