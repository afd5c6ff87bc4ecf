# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""ALIKED's keypoints between pixels, and its descriptors at a few of them."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from kornia.feature.aliked.aliked import SDDH
from torch import Tensor, nn

from lightmatch_ros.core.features.aliked_network import Pyramid, corner_weights
from lightmatch_ros.core.features.maxima import RADIUS, strict_maxima

# Of the soft maximum within a keypoint's window; the authors'.
TEMPERATURE = 0.1


def detect(scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Finds maxima of a score map and moves each to the soft maximum of its window, as kornia's `DKD`.

    Args:
        scores: (H, W).
        threshold: of a maximum.

    Returns:
        Positions (M, 2), -1 and 1 on the border pixels' centres, and scores there, (M,).
    """
    height, width = scores.shape
    x, y = strict_maxima(scores, threshold)
    if len(x) == 0:
        return scores.new_empty(0, 2), scores.new_empty(0)
    steps = torch.arange(-RADIUS, RADIUS + 1, device=scores.device)
    window_y, window_x = (grid.reshape(-1) for grid in torch.meshgrid(steps, steps, indexing="ij"))  # (25,) each
    windows = scores[y[:, None] + window_y, x[:, None] + window_x]  # (M, 25)
    weights = F.softmax(windows / TEMPERATURE, dim=1)
    moves = weights @ torch.stack([window_x, window_y], dim=1).to(scores.dtype)  # (M, 2)
    positions = (torch.stack([x, y], dim=1) + moves) / scores.new_tensor([width - 1, height - 1]) * 2 - 1
    there = F.grid_sample(scores[None, None], positions[None, None], align_corners=True)  # (1, 1, 1, M)
    return positions, there[0, 0, 0]


class Describer(nn.Module):
    """The descriptors of kornia's `SDDH`, of features computed where they are read.

    Args:
        head: filled with weights, in evaluation mode, on the device; 3 x 3 patches, weights for each place.
    """

    def __init__(self, head: SDDH) -> None:
        super().__init__()
        self._head = copy.deepcopy(head)

    def forward(self, pyramid: Pyramid, positions: Tensor) -> Tensor:
        """Returns descriptors (M, D) at positions (M, 2), -1 and 1 on the border pixels' centres."""
        width, height = pyramid.size
        reads = 9 + 4 * self._head.n_pos
        if len(positions) * reads > width * height:  # then all features are computed sooner than those read
            dense: Tensor = self._head(pyramid.dense(), [positions])[0][0]
            return dense
        last = positions.new_tensor([width - 1, height - 1])
        pixels = (positions / 2 + 0.5) * last  # (M, 2)
        places = pixels[:, None] + self._offsets(pyramid, pixels)  # (M, P, 2)
        features = _sample(pyramid, places.reshape(-1, 2))  # (M * P, D)
        features = F.selu_(features @ self._head.sf_conv.weight[:, :, 0, 0].T)
        weights = self._head.agg_weights  # (P, D, D)
        return F.normalize(features.reshape(len(positions), -1) @ weights.flatten(0, 1), dim=1)

    def _offsets(self, pyramid: Pyramid, pixels: Tensor) -> Tensor:
        """Returns where to look around each keypoint, (M, P, 2) pixels, from the 3 x 3 features at it."""
        size = pixels.new_tensor(pyramid.size).long()
        corner = torch.minimum((pixels.long() - 1).clamp(min=0), size - 4)
        steps = torch.arange(3, device=pixels.device)
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        patch = corner[:, None] + torch.stack([x, y], dim=-1).reshape(9, 2)  # (M, 9, 2)
        features = pyramid.at(patch.reshape(-1, 2)).reshape(len(pixels), 3, 3, -1).permute(0, 3, 1, 2)
        limit = max(pyramid.size) / 4
        offsets: Tensor = self._head.offset_conv(features).clamp(-limit, limit)  # (M, 2 * P, 1, 1)
        return offsets.reshape(len(pixels), 2, -1).transpose(1, 2)


def _sample(pyramid: Pyramid, points: Tensor) -> Tensor:
    """Returns features between pixels, (M, D) at points (M, 2); what lies outside the image counts as 0."""
    corner = points.floor()
    around = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], device=points.device)
    corners = (corner.long()[:, None] + around).reshape(-1, 2)  # (4 * M, 2)
    indices = torch.arange(len(corners), device=points.device).reshape(-1, 4)
    weights = corner_weights(points - corner)
    return F.embedding_bag(indices, pyramid.at(corners), mode="sum", per_sample_weights=weights)
