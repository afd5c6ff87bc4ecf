# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is matched for speed: a random network of the official size, and points that it has something to match in."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F

from lightmatch_ros.core.engine.random_points import random_points
from lightmatch_ros.core.lightglue import Architecture, LightGlue, Points

OFFICIAL = Architecture()
FILTER_THRESHOLD = 0.1
# Of the descriptors' noise for each channel: with it a random network still finds most points again.
_NOISE = 0.02
_SHIFT_PX = 3.0


def random_network(architecture: Architecture = OFFICIAL, seed: int = 0) -> LightGlue:
    """Returns a network of random weights whose answers can be compared: its matches score above the threshold.

    The heads' projections are scaled up for that; it costs nothing and changes no shape.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LightGlue(architecture).eval().requires_grad_(False)
    for i in range(architecture.n_layers):
        network.head(i).final_proj.weight.mul_(4)
        network.head(i).matchability.bias.fill_(3)
    return network


def random_pair(
    architecture: Architecture, counts: tuple[int, int], device: torch.device, seed: int = 0
) -> tuple[Points, Points]:
    """Returns points of image 0 and as many of them as there are in image 1, seen again, with noise, in new order."""
    wanted = random_points(architecture, max(counts), torch.device("cpu"), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    order = torch.randperm(max(counts), generator=generator)[: counts[1]]
    noise = _NOISE * torch.randn(counts[1], architecture.input_dim, generator=generator)
    moved = (wanted.keypoints[order] + _SHIFT_PX).minimum(torch.tensor(wanted.size) - 1.0)
    again = _chosen(wanted, order)
    again = dataclasses.replace(again, keypoints=moved, descriptors=F.normalize(again.descriptors + noise, dim=-1))
    return _on(_chosen(wanted, torch.arange(counts[0])), device), _on(again, device)


def _chosen(points: Points, rows: torch.Tensor) -> Points:
    assert points.scales is not None and points.orientations is not None  # for the type checker
    return dataclasses.replace(
        points,
        keypoints=points.keypoints[rows],
        descriptors=points.descriptors[rows],
        scales=points.scales[rows],
        orientations=points.orientations[rows],
    )


def _on(points: Points, device: torch.device) -> Points:
    assert points.scales is not None and points.orientations is not None  # for the type checker
    return dataclasses.replace(
        points,
        keypoints=points.keypoints.to(device),
        descriptors=points.descriptors.to(device),
        scales=points.scales.to(device),
        orientations=points.orientations.to(device),
    )
