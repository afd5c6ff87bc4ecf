# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""ALIKED's pyramid and score map, from kornia's layers, without the dense feature map that few pixels are read of."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.feature import ALIKED
from kornia.feature.aliked.aliked import ConvBlock, DeformableConv2d, InputPadder, ResBlock
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lightmatch_ros.core.image import Size

# What the network's input sides are padded to multiples of.
SIDE_MULTIPLE = 32


class Pyramid(NamedTuple):
    """Features before they are enlarged to the image's size, put together and divided by their norm.

    Attributes:
        levels: (1, D/4, H/s, W/s) float32 each, s = 1, 2, 8, 32; of the padded image.
        origin: x and y of the image's first pixel in the padded one.
        size: (width, height) of the image.
    """

    levels: Sequence[Tensor]
    origin: tuple[int, int]
    size: Size

    @classmethod
    def of(cls, levels: Sequence[Tensor], size: Size) -> Pyramid:
        """Returns the pyramid of an image of a (width, height), which is in the middle of the padded one."""
        (width, height), (padded_height, padded_width) = size, levels[0].shape[-2:]
        return cls(levels, ((padded_width - width) // 2, (padded_height - height) // 2), size)

    def at(self, pixels: Tensor) -> Tensor:
        """Returns features (M, D) of unit length at pixels (M, 2) of the image, int64; 0 outside of it."""
        size, origin = pixels.new_tensor(self.size), pixels.new_tensor(self.origin)
        inside = ((pixels >= 0) & (pixels < size)).all(dim=1)
        height, width = self.levels[0].shape[-2:]
        whole = torch.minimum(pixels.clamp(min=0), size - 1) + origin  # (M, 2), pixels of the padded image
        features = []
        for level in self.levels:
            # Corners on corners, as in the enlargement by `Upsample(align_corners=True)`.
            scale = torch.tensor([(level.shape[3] - 1) / (width - 1), (level.shape[2] - 1) / (height - 1)])
            features.append(bilinear(level, whole * scale.to(pixels.device)))
        return F.normalize(torch.cat(features, dim=1), dim=1) * inside[:, None]

    def dense(self) -> Tensor:
        """Returns the features of all pixels of the image, (1, D, H, W)."""
        shape = self.levels[0].shape[-2:]
        whole = [F.interpolate(level, shape, mode="bilinear", align_corners=True) for level in self.levels]
        (x, y), (width, height) = self.origin, self.size
        return F.normalize(torch.cat(whole, dim=1)[..., y : y + height, x : x + width], dim=1)


def bilinear(level: Tensor, points: Tensor) -> Tensor:
    """Reads a map (1, C, H, W) at points (M, 2) inside of it, by x and y; (M, C).

    Rows of a channels-last map are gathered whole: a quarter of the time of `grid_sample` on a CPU.
    """
    height, width = level.shape[-2:]
    table = level[0].permute(1, 2, 0).reshape(height * width, -1)  # (H * W, C)
    corner = points.floor()
    x, y = corner.long().unbind(1)
    right, below = (x + 1).clamp(max=width - 1), (y + 1).clamp(max=height - 1)
    indices = torch.stack([y * width + x, y * width + right, below * width + x, below * width + right], dim=1)
    return F.embedding_bag(indices, table, mode="sum", per_sample_weights=corner_weights(points - corner))


def corner_weights(fraction: Tensor) -> Tensor:
    """Returns the weights (M, 4) of the corners (0, 0), (1, 0), (0, 1), (1, 1) at (x, y) between them, (M, 2)."""
    x, y = fraction.unbind(1)
    return torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], dim=1)


class AlikedNetwork(nn.Module):
    """`ALIKED.extract_dense_map` of kornia, batch normalisations folded and the feature map left as a pyramid.

    The score's first convolution is 1 x 1 and linear, so it comes before the enlargement, of 8 channels and not of D.

    Args:
        model: filled with weights, in evaluation mode, on the device; not changed.
    """

    def __init__(self, model: ALIKED) -> None:
        super().__init__()
        blocks = (model.block1, model.block2, model.block3, model.block4)
        self._blocks = nn.ModuleList(_Block(block) for block in blocks)
        projections = (model.conv1, model.conv2, model.conv3, model.conv4)
        self._projections = nn.ModuleList(copy.deepcopy(convolution) for convolution in projections)
        first, *rest = copy.deepcopy(model.score_head)
        self._to_score = nn.ParameterList(first.weight.chunk(4, dim=1))
        self._score = nn.Sequential(*rest)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Returns the four levels of the pyramid, see `Pyramid.of`, and the score map, (1, 1, H, W).

        Args:
            image: (1, 3, H, W) RGB in [0, 1].
        """
        height, width = image.shape[-2:]
        padder = InputPadder(height, width, SIDE_MULTIPLE)
        levels = self._levels(padder.pad(image))
        shape = levels[0].shape[-2:]
        parts = [F.conv2d(level, weight) for level, weight in zip(levels, self._to_score, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + F.interpolate(part, shape, mode="bilinear", align_corners=True)
        return *levels, padder.unpad(torch.sigmoid(self._score(total)))

    def _levels(self, x: Tensor) -> list[Tensor]:
        """Returns the projected output of each block."""
        levels = []
        for block, projection, stride in zip(self._blocks, self._projections, (1, 2, 4, 4), strict=True):
            x = block(F.avg_pool2d(x, stride) if stride > 1 else x)
            levels.append(F.selu_(projection(x)))
        return levels


class _Block(nn.Module):
    """Two convolutions, around which a `ResBlock` has a way past."""

    def __init__(self, block: ConvBlock | ResBlock) -> None:
        super().__init__()
        self._first = _folded(block.conv1, block.bn1)
        self._second = _folded(block.conv2, block.bn2)
        self._past = copy.deepcopy(block.downsample) if isinstance(block, ResBlock) else None

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the size."""
        y = self._second(F.selu_(self._first(x)))
        return F.selu_(y if self._past is None else y + self._past(x))


class _Deformable(nn.Module):
    """kornia's `DeformableConv2d`, 3 x 3 without masks, sampled by `grid_sample`: a fifth of the time on a CPU."""

    def __init__(self, offsets: nn.Conv2d, convolution: nn.Conv2d) -> None:
        super().__init__()
        self._offsets, self._convolution = offsets, convolution

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the size."""
        height, width = x.shape[-2:]
        limit = max(height, width) / 4
        offsets = self._offsets(x).clamp(-limit, limit).reshape(9, 2, height, width)  # y before x
        row, column = torch.meshgrid(*(torch.arange(n, device=x.device) for n in (height, width)), indexing="ij")
        dy, dx = torch.meshgrid(*[torch.arange(-1, 2, device=x.device)] * 2, indexing="ij")
        rows = (row + dy.reshape(9, 1, 1) + offsets[:, 0]) * 2 / max(1, height - 1) - 1
        columns = (column + dx.reshape(9, 1, 1) + offsets[:, 1]) * 2 / max(1, width - 1) - 1
        grid = torch.stack([columns, rows], dim=-1).reshape(1, 9 * height, width, 2)
        sampled = F.grid_sample(x, grid, align_corners=True).reshape(-1, height * width)  # (C * 9, H * W)
        out = F.linear(sampled.T, self._convolution.weight.flatten(1), self._convolution.bias)  # (H * W, D)
        return out.reshape(1, height, width, -1).permute(0, 3, 1, 2)  # channels last


def _folded(convolution: nn.Conv2d | DeformableConv2d, normalisation: nn.BatchNorm2d) -> nn.Module:
    """Returns a copy of a convolution with the normalisation after it as part of it."""
    if isinstance(convolution, DeformableConv2d):
        folded = fuse_conv_bn_eval(convolution.regular_conv, normalisation)
        return _Deformable(copy.deepcopy(convolution.offset_conv), folded)
    return fuse_conv_bn_eval(convolution, normalisation)
