# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""XFeat keypoints and descriptors, by kornia's network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from kornia.feature.xfeat import InterpolateSparse2d, XFeatModel
from torch import Tensor

from lightmatch_ros.core.engine.cuda.graphed import graphed
from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.product import DTYPE
from lightmatch_ros.core.features.base import Detection, ResizingExtractor
from lightmatch_ros.core.features.maxima import strict_maxima
from lightmatch_ros.core.features.resizer import Resizer
from lightmatch_ros.core.features.xfeat_network import DenseMaps, XFeatNetwork
from lightmatch_ros.core.image import Size, resample, shrunk_size
from lightmatch_ros.core.types import ByteArray, IndexArray
from lightmatch_ros.core.weights import load_into

# Smallest probability of a keypoint; the authors' default.
DETECTION_THRESHOLD = 0.05

# What the network's input sides are multiples of.
SIDE_MULTIPLE = 32

# The dense matcher's refinement, which sparse features do not run and some exports lack.
_UNUSED = "fine_matcher."

# Counters of batch normalisation, read in training alone; exports lack them.
_MAY_BE_MISSING = r".*\.num_batches_tracked"


class XFeatExtractor(ResizingExtractor):
    """XFeat, sparse; it sees the mean of the channels. Not thread-safe.

    Source: Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024. Keypoints,
    scores and descriptors are those of kornia's `XFeat.detectAndCompute`.

    On CUDA the image goes up as it is and is shrunk there, and the network is captured for each size that it sees: the
    first image of a size takes longer. Not yet measured on a GPU.

    Args:
        tensors: the network's weights, by official key.
        device: where the network runs.
        max_keypoints: most keypoints of an image.
        resize: longer side that images are shrunk to, pixels; 0 = as they are.
        precision: of the descriptors' convolutions; keypoints' places do not depend on it.

    Raises:
        WeightsError: tensors that do not fit, by name.
    """

    name = "xfeat"
    descriptor_dim = 64

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device,
        max_keypoints: int,
        resize: int = 0,
        *,
        precision: Precision = Precision.FP32,
    ) -> None:
        super().__init__(device, max_keypoints, resize)
        model = XFeatModel()
        del model.fine_matcher  # else its random weights would stay
        used = {key: value for key, value in tensors.items() if not key.startswith(_UNUSED)}
        load_into(model, used, may_be_missing=_MAY_BE_MISSING)
        self._maps = graphed(XFeatNetwork(model.to(device).eval(), DTYPE[precision]), device)
        self._resizer = Resizer(device)
        self._at = {mode: InterpolateSparse2d(mode) for mode in ("bilinear", "bicubic")}

    def _working_size(self, original: Size) -> Size:
        """The shrunk size with both sides rounded down to the multiple, not below one of it."""
        width, height = shrunk_size(original, self._resize)
        return max(1, width // SIDE_MULTIPLE) * SIDE_MULTIPLE, max(1, height // SIDE_MULTIPLE) * SIDE_MULTIPLE

    @torch.inference_mode()
    def _detect(self, image: ByteArray, size: Size, *, masked: bool) -> Detection:
        maps = DenseMaps(*self._maps(self._working_image(image, size)))
        x, y = strict_maxima(maps.keypoints, DETECTION_THRESHOLD)
        positions = torch.stack([x, y], dim=1).float()  # (M, 2)
        reliability = self._sample("bilinear", maps.reliability, positions, size)[:, 0]
        scores = maps.keypoints[y, x] * reliability  # (M,)
        # sync: the one transfer of keypoints and scores
        table = torch.cat([positions, scores[:, None]], dim=1).cpu().numpy()  # (M, 3)

        def describe(chosen: IndexArray) -> Tensor:
            return self._describe(maps, positions[upload(chosen, self._device)], size)

        return Detection(table[:, :2], table[:, 2], describe)

    def _describe(self, maps: DenseMaps, positions: Tensor, size: Size) -> Tensor:
        """Returns descriptors (M, 64) at positions (M, 2)."""
        with torch.inference_mode():
            descriptors = self._sample("bicubic", maps.descriptors, positions, size)
        # Divided outside inference mode: an ordinary tensor, which training can use.
        return F.normalize(descriptors, dim=1).contiguous()

    def _sample(self, mode: str, dense: Tensor, positions: Tensor, size: Size) -> Tensor:
        """Returns the values (M, D) of a dense map (1, D, H/8, W/8) at pixels (M, 2) of an image of ``size``."""
        if len(positions) == 0:
            return dense.new_empty(0, dense.shape[1])
        sampled: Tensor = self._at[mode](dense, positions[None], H=size[1], W=size[0])  # (1, M, D)
        return sampled[0]

    def _working_image(self, image: ByteArray, size: Size) -> Tensor:
        """(H, W) or (H, W, 3) bytes to the channels' mean in another size, (1, 1, h, w) float in [0, 1]."""
        if self._device.type == "cuda":
            return self._resizer.resize(self._mean(image), size)
        return self._mean(resample(image, size))

    def _mean(self, image: ByteArray) -> Tensor:
        """(H, W) or (H, W, 3) bytes to the channels' mean, (1, 1, H, W) float in [0, 1] on the device."""
        pixels = upload(image, self._device).reshape(*image.shape[:2], -1)  # (H, W, C)
        total = pixels.sum(dim=2, dtype=torch.int32)
        return total[None, None].float() / (255 * pixels.shape[2])
