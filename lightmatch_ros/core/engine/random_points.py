# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Points without meaning, for warming up and for measuring speed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from lightmatch_ros.core.engine.interface import Engine
from lightmatch_ros.core.lightglue import Architecture, LightGlue, Points
from lightmatch_ros.core.lightglue.adaptive import FULL


def random_points(architecture: Architecture, count: int, device: torch.device, seed: int = 0) -> Points:
    """Returns (count,) points in an image of 640 x 480, descriptors of unit length, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(count, 2, generator=generator) * torch.tensor([640.0, 480.0])
    descriptors = F.normalize(torch.randn(count, architecture.input_dim, generator=generator), dim=-1)
    scales = 2 + 8 * torch.rand(count, generator=generator)
    orientations = 2 * math.pi * torch.rand(count, generator=generator)
    return Points(keypoints.to(device), descriptors.to(device), (640, 480), scales.to(device), orientations.to(device))


def match_random(engine: Engine, network: LightGlue, counts: Sequence[int]) -> float:
    """Runs an engine of the network once on two images of each number of points; returns the time taken, s."""
    started = time.perf_counter()
    device = next(network.parameters()).device
    for count in counts:
        images = engine.prepare([random_points(network.architecture, count, device)] * 2)
        engine.match([(images[0], images[1])], FULL, 0.1)
    return time.perf_counter() - started
