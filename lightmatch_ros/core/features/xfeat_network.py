# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""XFeat's convolutions, from kornia's layers, arranged for speed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.feature.xfeat import BasicLayer, XFeatModel
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Pixels of a side of what one place of the dense maps covers.
CELL = 8


class DenseMaps(NamedTuple):
    """What the network says of an image; all float32.

    Attributes:
        descriptors: (1, 64, H/8, W/8), of unit length.
        keypoints: (H, W), probability that a pixel is its cell's keypoint.
        reliability: (1, 1, H/8, W/8), in (0, 1).
    """

    descriptors: Tensor
    keypoints: Tensor
    reliability: Tensor


class XFeatNetwork(nn.Module):
    """The forward pass of kornia's `XFeatModel`, its batch normalisations folded into the convolutions.

    The keypoints' head, which sees the image alone, stays in float32: in bfloat16 neighbouring pixels would tie.

    Args:
        model: filled with weights, in evaluation mode, on the device; not changed.
        dtype: of the descriptors' convolutions.
    """

    def __init__(self, model: XFeatModel, dtype: torch.dtype) -> None:
        super().__init__()
        self._norm = model.norm
        self._skip = _folded(model.skip1)
        self._stages = nn.ModuleList(
            _folded(block) for block in (model.block1, model.block2, model.block3, model.block4, model.block5)
        )
        self._fusion = _folded(model.block_fusion)
        self._reliability = _folded(model.heatmap_head)
        self._keypoints = _folded(model.keypoint_head)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
        for part in (self._skip, self._stages, self._fusion, self._reliability[:-1]):
            part.to(dtype)
        self._dtype = dtype

    def forward(self, image: Tensor) -> DenseMaps:
        """Sees an image (1, 1, H, W) float32, H and W multiples of 32, of any brightness and contrast."""
        image = self._norm(image)
        features, reliability = self._describe(image.to(self._dtype))
        logits = self._keypoints(F.pixel_unshuffle(image, CELL))  # (1, 65, H/8, W/8), the last of "no keypoint"
        return DenseMaps(F.normalize(features.float(), dim=1), _unfolded(logits), reliability)

    def _describe(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features (1, 64, H/8, W/8) and reliability (1, 1, H/8, W/8)."""
        first, second, *rest = self._stages
        x = second(first(image) + self._skip(image))  # (1, 24, H/4, W/4)
        pyramid = []
        for stage in rest:
            x = stage(x)
            pyramid.append(x)  # (1, 64, H/8, W/8), then H/16, then H/32
        finest = pyramid[0]
        coarse = [F.interpolate(x, finest.shape[-2:], mode="bilinear", align_corners=False) for x in pyramid[1:]]
        features = self._fusion(finest + coarse[0] + coarse[1])
        return features, self._reliability[-1](self._reliability[:-1](features).float())


def _unfolded(logits: Tensor) -> Tensor:
    """Takes each cell's logits (1, 65, H/8, W/8) to its pixels' probabilities, (H, W)."""
    rows, columns = logits.shape[-2:]
    cells = F.softmax(logits[0].permute(1, 2, 0), dim=-1)[..., : CELL * CELL]  # (H/8, W/8, 64)
    pixels = cells.reshape(rows, columns, CELL, CELL).transpose(1, 2)  # (H/8, 8, W/8, 8)
    return pixels.reshape(rows * CELL, columns * CELL)


def _folded(layers: Iterable[nn.Module]) -> nn.Sequential:
    """Returns copies of the layers with batch normalisations as part of the convolutions before them."""
    parts: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, BasicLayer):
            convolution, normalisation, _ = layer.layer
            parts += [fuse_conv_bn_eval(convolution, normalisation), nn.ReLU(inplace=True)]
        else:
            parts.append(copy.deepcopy(layer))
    return nn.Sequential(*parts)
