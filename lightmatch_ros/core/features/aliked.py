# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""ALIKED keypoints and descriptors, by kornia's network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from kornia.feature import ALIKED
from torch import Tensor

from lightmatch_ros.core.engine.cuda.graphed import graphed
from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.features.aliked_heads import Describer, detect
from lightmatch_ros.core.features.aliked_network import AlikedNetwork, Pyramid
from lightmatch_ros.core.features.base import Detection, ResizingExtractor
from lightmatch_ros.core.features.resizer import Resizer
from lightmatch_ros.core.image import Size, resample, to_rgb
from lightmatch_ros.core.types import ByteArray, IndexArray
from lightmatch_ros.core.weights import load_into

DESCRIPTOR_DIMS = {"aliked-n16": 128, "aliked-t16": 64}

# Smallest score of a keypoint; the authors' default.
DETECTION_THRESHOLD = 0.2

# The detector's window, which follows from its radius.
_MAY_BE_MISSING = r"dkd\.hw_grid"


class AlikedExtractor(ResizingExtractor):
    """ALIKED. Not thread-safe.

    Source: Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable Transformation",
    IEEE Transactions on Instrumentation and Measurement, 2023. Keypoints, scores and descriptors are those of
    kornia's `ALIKED`, in a third of its time on a CPU.

    On CUDA the image goes up as it is and is shrunk there, and the network is captured for each size that it sees: the
    first image of a size takes longer. Not yet measured on a GPU.

    Args:
        variant: a key of `DESCRIPTOR_DIMS`.
        tensors: the network's weights, by official key.
        device: where the network runs.
        max_keypoints: most keypoints of an image.
        resize: longer side that images are shrunk to, pixels; 0 = as they are.

    Raises:
        WeightsError: tensors that do not fit, by name.
    """

    def __init__(
        self, variant: str, tensors: Mapping[str, Tensor], device: torch.device, max_keypoints: int, resize: int = 0
    ) -> None:
        super().__init__(device, max_keypoints, resize)
        self.name = variant
        self.descriptor_dim = DESCRIPTOR_DIMS[variant]
        model = ALIKED(variant, detection_threshold=DETECTION_THRESHOLD)
        load_into(model, tensors, may_be_missing=_MAY_BE_MISSING)
        model.to(device).eval()
        self._maps = graphed(AlikedNetwork(model), device)
        self._resizer = Resizer(device)
        self._describer = Describer(model.desc_head)

    @torch.inference_mode()
    def _detect(self, image: ByteArray, size: Size, *, masked: bool) -> Detection:
        *levels, score_map = self._maps(self._working_image(image, size))
        pyramid = Pyramid.of(levels, size)
        positions, scores = detect(score_map[0, 0], DETECTION_THRESHOLD)
        # sync: the one transfer of keypoints and scores
        table = torch.cat([positions, scores[:, None]], dim=1).cpu().numpy()  # (M, 3)

        def describe(chosen: IndexArray) -> Tensor:
            return self._describe(pyramid, positions[upload(chosen, self._device)])

        last_pixel = np.array(size, np.float32) - 1
        keypoints = ((table[:, :2] + 1) / 2 * last_pixel).astype(np.float32)
        return Detection(keypoints, table[:, 2], describe)

    def _describe(self, pyramid: Pyramid, positions: Tensor) -> Tensor:
        """Returns descriptors (M, D) at positions (M, 2)."""
        if len(positions) == 0:
            return torch.empty(0, self.descriptor_dim, device=self._device)
        with torch.inference_mode():
            descriptors = self._describer(pyramid, positions)
        return torch.clone(descriptors)  # outside inference mode: an ordinary tensor, which training can use

    def _working_image(self, image: ByteArray, size: Size) -> Tensor:
        """(H, W) or (H, W, 3) BGR bytes to RGB in another size, (1, 3, h, w) float in [0, 1]."""
        if self._device.type != "cuda":
            return self._planes(to_rgb(resample(image, size)))
        planes = self._resizer.resize(self._planes(image), size)
        return planes.flip(1) if planes.shape[1] == 3 else planes.expand(-1, 3, -1, -1)

    def _planes(self, image: ByteArray) -> Tensor:
        """(H, W) or (H, W, C) bytes to (1, C, H, W) float in [0, 1] on the device."""
        pixels = upload(image, self._device).reshape(*image.shape[:2], -1)  # (H, W, C)
        return pixels.permute(2, 0, 1)[None].float() / 255
