# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The LightGlue network with adaptive depth and width, one pair at a time: the reference for every faster engine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import adaptive
from lightmatch_ros.core.lightglue.adaptive import Adaptivity
from lightmatch_ros.core.lightglue.architecture import Architecture
from lightmatch_ros.core.lightglue.assignment import AssignmentHead, log_assignment, mutual_matches
from lightmatch_ros.core.lightglue.layers import Confidence, Layer, PositionalEncoding


@dataclass(frozen=True, eq=False)
class Points:
    """The local features of one image as the network takes them.

    Attributes:
        keypoints: (..., M, 2) float32, pixels of an image of ``size``.
        descriptors: (..., M, input_dim) float32.
        size: (width, height) of that image, pixels.
        scales: (..., M), pixels, where the architecture wants them.
        orientations: (..., M), radians, where the architecture wants them.
    """

    keypoints: Tensor
    descriptors: Tensor
    size: tuple[int, int]
    scales: Tensor | None = None
    orientations: Tensor | None = None

    def __len__(self) -> int:
        return self.keypoints.shape[-2]


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """Matches of one pair, in indices of the points that came in.

    Attributes:
        indices0, indices1: (K,) int64.
        scores: (K,) in (0, 1].
        stop_layer: layers that ran; 0 where an image had no points.
        num_kept: points of both images that were not pruned.
        layers0, layers1: (M,), (N,) int64: layer count at which each point was pruned, counted from 1; points never
            pruned have the number of layers after which they were last looked at.
    """

    indices0: Tensor
    indices1: Tensor
    scores: Tensor
    stop_layer: int
    num_kept: int
    layers0: Tensor
    layers1: Tensor


@dataclass
class _Side:
    """One image on its way through the layers: the points that are left."""

    x: Tensor  # (M', D)
    encoding: Tensor  # (2, 1, M', head_dim)
    kept: Tensor  # (M',) indices of the points that came in
    layers: Tensor  # (M,) see NetworkOutput

    def prune(self, keep: Tensor) -> None:
        chosen = keep.nonzero().squeeze(1)  # sync: the number of points that are left
        self.x = self.x[chosen]
        self.encoding = self.encoding[..., chosen, :]
        self.kept = self.kept[chosen]
        self.layers[self.kept] += 1


class LightGlue(nn.Module):
    """Matches two sets of local features.

    Not thread-safe; one pair at a time. Parameter names are those of the official checkpoints.

    Args:
        architecture: sizes; the weights are random until loaded.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        d, last = a.descriptor_dim, a.n_layers - 1
        self.input_proj = nn.Identity() if a.input_dim == d else nn.Linear(a.input_dim, d)
        self.posenc = PositionalEncoding(a.position_dim, a.head_dim)
        self.transformers = nn.ModuleList([Layer(d, a.num_heads) for _ in range(a.n_layers)])
        heads = range(a.n_layers) if a.adaptive else [last]
        self.log_assignment = nn.ModuleDict({str(i): AssignmentHead(d) for i in heads})
        self.token_confidence = nn.ModuleList([Confidence(d) for _ in range(last if a.adaptive else 0)])

    def embed(self, points: Points) -> tuple[Tensor, Tensor]:
        """Returns first states (..., M, D) and positional encoding (2, ..., 1, M, head_dim) of an image."""
        return self.input_proj(points.descriptors), self.posenc(self.positions(points))

    def positions(self, points: Points) -> Tensor:
        """Returns position vectors, see `position_vectors`."""
        size = points.keypoints.new_tensor(points.size)
        return self.position_vectors(points.keypoints, size, points.scales, points.orientations)

    def position_vectors(
        self, keypoints: Tensor, size: Tensor, scales: Tensor | None, orientations: Tensor | None
    ) -> Tensor:
        """Returns position vectors, (..., M, position_dim).

        Convention: pixels minus half the size, divided by half the longer side, as the official checkpoints expect.

        Args:
            keypoints: (..., M, 2), pixels.
            size: (2,), width and height, pixels, where the keypoints are.
            scales: (..., M), pixels.
            orientations: (..., M), radians.

        Raises:
            ConfigurationError: scales or orientations are wanted and absent.
        """
        xy = (keypoints - size / 2) / (size.max() / 2)
        if not self.architecture.scale_orientation:
            return xy
        scales, orientations = encoded_columns(scales, orientations)
        scales = scales * self.architecture.scale_coef
        if self.architecture.scale_encoding == "log2":
            scales = scales.clamp_min(1e-3).log2()
        return torch.cat([xy, scales.unsqueeze(-1), orientations.unsqueeze(-1)], dim=-1)

    @torch.inference_mode()
    def forward(
        self, points0: Points, points1: Points, adaptivity: Adaptivity, filter_threshold: float = 0.1
    ) -> NetworkOutput:
        """Matches one pair, (M, ·) and (N, ·) points.

        Args:
            points0: image 0, the keyframe.
            points1: image 1, the current frame.
            adaptivity: early stopping and pruning.
            filter_threshold: smallest score of a match.

        Raises:
            ConfigurationError: adaptivity is asked for and the weights lack the heads that it needs.
        """
        check_adaptivity(adaptivity, self.architecture)
        if not (len(points0) and len(points1)):
            return no_matches(len(points0), len(points1), self.architecture, points0.keypoints.device)
        sides = self._side(points0), self._side(points1)
        stop_layer = self._run_layers(sides, adaptivity, len(points0) + len(points1))
        return self._assign(sides, stop_layer, filter_threshold, adaptivity)

    def _side(self, points: Points) -> _Side:
        x, encoding = self.embed(points)
        indices = torch.arange(len(points), device=x.device)
        return _Side(x, encoding, indices, torch.ones_like(indices))

    def _run_layers(self, sides: tuple[_Side, _Side], adaptivity: Adaptivity, num_points: int) -> int:
        """Runs layers until one says stop; returns how many ran."""
        side0, side1 = sides
        n_layers = self.architecture.n_layers
        for i, layer in enumerate(self.transformers):
            side0.x, side1.x = layer(side0.x, side1.x, side0.encoding, side1.encoding)
            if i == n_layers - 1 or not adaptivity.active:
                continue
            if self._adapt(i, sides, adaptivity, num_points):
                return i + 1
        return n_layers

    def _adapt(self, i: int, sides: tuple[_Side, _Side], adaptivity: Adaptivity, num_points: int) -> bool:
        """Decides after layer i whether to stop, and prunes if not."""
        threshold = adaptive.confidence_threshold(i, self.architecture.n_layers)
        confidences = [self.token_confidence[i](side.x) for side in sides]
        if adaptivity.stops and adaptive.should_stop(
            torch.cat(confidences), threshold, num_points, adaptivity.depth_confidence
        ):  # sync: the decision to stop
            return True
        if adaptivity.prunes:
            for side, confidence in zip(sides, confidences, strict=True):
                if len(side.x) > adaptivity.min_points:
                    matchability = self.head(i).logits(side.x).sigmoid()
                    side.prune(
                        adaptive.points_to_keep(confidence, matchability, threshold, adaptivity.width_confidence)
                    )
        return any(len(side.x) == 0 for side in sides)

    def head(self, layer: int) -> AssignmentHead:
        """Returns a layer's assignment head, counted from 0."""
        head = self.log_assignment[str(layer)]
        assert isinstance(head, AssignmentHead)  # for the type checker
        return head

    def confidence(self, layer: int) -> nn.Linear:
        """Returns what gives a layer's confidence logits, counted from 0."""
        linear = self.token_confidence[layer].token[0]  # type: ignore[index]
        assert isinstance(linear, nn.Linear)  # for the type checker
        return linear

    def _assign(
        self, sides: tuple[_Side, _Side], stop_layer: int, threshold: float, adaptivity: Adaptivity
    ) -> NetworkOutput:
        side0, side1 = sides
        num_kept = len(side0.x) + len(side1.x)
        if not adaptivity.prunes:
            for side in sides:
                side.layers.fill_(self.architecture.n_layers)
        i0 = i1 = side0.kept.new_empty(0)
        scores = side0.x.new_empty(0)
        if len(side0.x) and len(side1.x):
            log_scores = log_assignment(*self.head(stop_layer - 1)(side0.x, side1.x))
            i0, i1, scores = mutual_matches(log_scores, threshold)
        return NetworkOutput(side0.kept[i0], side1.kept[i1], scores, stop_layer, num_kept, side0.layers, side1.layers)


def encoded_columns(scales: Tensor | None, orientations: Tensor | None) -> tuple[Tensor, Tensor]:
    """Returns both; raises ConfigurationError where one is absent, for weights that encode them."""
    if scales is None or orientations is None:
        raise ConfigurationError("features without scale and orientation, wanted both: these weights encode them")
    return scales, orientations


def check_adaptivity(adaptivity: Adaptivity, architecture: Architecture) -> None:
    """Raises ConfigurationError where adaptivity is asked for and the weights lack the heads that it needs."""
    if adaptivity.active and not architecture.adaptive:
        raise ConfigurationError("adaptive depth or width was asked for, the weights have no heads for it")


def no_matches(count0: int, count1: int, architecture: Architecture, device: torch.device) -> NetworkOutput:
    """Returns the answer for a pair of which an image has no points."""
    nothing = torch.empty(0, dtype=torch.int64, device=device)
    layers0, layers1 = (nothing.new_full((count,), architecture.n_layers) for count in (count0, count1))
    return NetworkOutput(nothing, nothing, nothing.float(), 0, count0 + count1, layers0, layers1)
