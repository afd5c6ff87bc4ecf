# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""XFeat keypoints and descriptors, by kornia's network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from kornia.feature import XFeat
from torch import Tensor

from lightmatch_ros.core.features.base import Detection, ResizingExtractor
from lightmatch_ros.core.image import Size, resample, shrunk_size
from lightmatch_ros.core.types import ByteArray, IndexArray
from lightmatch_ros.core.weights import load_into

# What the network's input sides are multiples of; kornia would resize other images itself, and report keypoints as
# i * s where the pixel's centre is at (i + .5) * s - .5.
SIDE_MULTIPLE = 32

# The dense matcher's refinement, which sparse features do not run and some exports lack.
_UNUSED = "fine_matcher."

# Counters of batch normalisation, read in training alone; exports lack them.
_MAY_BE_MISSING = r".*\.num_batches_tracked"


class XFeatExtractor(ResizingExtractor):
    """XFeat, sparse; it sees the mean of the channels. Not thread-safe.

    Source: Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024.

    Args:
        tensors: the network's weights, by official key.
        device: where the network runs.
        max_keypoints: most keypoints of an image.
        resize: longer side that images are shrunk to, pixels; 0 = as they are.

    Raises:
        WeightsError: tensors that do not fit, by name.
    """

    name = "xfeat"
    descriptor_dim = 64

    def __init__(
        self, tensors: Mapping[str, Tensor], device: torch.device, max_keypoints: int, resize: int = 0
    ) -> None:
        super().__init__(device, max_keypoints, resize)
        self._model = XFeat()
        del self._model.net.fine_matcher  # else its random weights would stay
        used = {key: value for key, value in tensors.items() if not key.startswith(_UNUSED)}
        load_into(self._model.net, used, may_be_missing=_MAY_BE_MISSING)
        self._model.to(device).eval()

    def _detect(self, image: ByteArray, size: Size, *, masked: bool) -> Detection:
        budget = size[0] * size[1] if masked else self._max_keypoints
        found = self._model.detectAndCompute(self._upload(resample(image, size)), top_k=budget)[0]
        # sync: the one transfer of keypoints and scores
        table = torch.cat([found["keypoints"], found["scores"][:, None]], dim=1).cpu().numpy()  # (M, 3)

        def describe(chosen: IndexArray) -> Tensor:
            return torch.index_select(found["descriptors"], 0, torch.from_numpy(chosen).to(self._device))

        return Detection(table[:, :2], table[:, 2], describe)

    def _working_size(self, original: Size) -> Size:
        """The shrunk size with both sides rounded down to the multiple, not below one of it."""
        width, height = shrunk_size(original, self._resize)
        return max(1, width // SIDE_MULTIPLE) * SIDE_MULTIPLE, max(1, height // SIDE_MULTIPLE) * SIDE_MULTIPLE

    def _upload(self, image: ByteArray) -> Tensor:
        """(H, W) or (H, W, 3) bytes to (1, C, H, W) float in [0, 1] on the device."""
        pixels = torch.tensor(image, device=self._device).reshape(*image.shape[:2], -1)  # (H, W, C)
        return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255
