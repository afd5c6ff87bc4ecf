# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""SIFT features in the form in which the cache keeps them: best response first, descriptors as bytes.

cv2's SIFT descriptors are whole numbers from 0 to 255, so bytes lose nothing; RootSIFT is made on loading. Keypoints
are those of the package's own extractor.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lightmatch_ros.core.features.sift import CONTRAST_THRESHOLD, OPENCV_BIAS_PX


@dataclass(frozen=True, eq=False)
class RawFeatures:
    """SIFT features of one image, strongest response first.

    Attributes:
        geometry: (M, 4) float32: x, y (pixels, pixel centre = integer), scale (pixels, the keypoint's diameter),
            orientation (radians, clockwise from x).
        descriptors: (M, 128) uint8, SIFT.
    """

    geometry: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def extract(image: NDArray[np.uint8], max_keypoints: int) -> RawFeatures:
    """Extracts the features with the strongest responses.

    Args:
        image: (H, W) uint8.
        max_keypoints: most features.
    """
    sift = cv2.SIFT.create(nfeatures=max_keypoints, contrastThreshold=CONTRAST_THRESHOLD)
    found, descriptors = sift.detectAndCompute(image, None)
    if not found:
        return RawFeatures(np.empty((0, 4), np.float32), np.empty((0, 128), np.uint8))
    order = np.argsort([-k.response for k in found], kind="stable")[:max_keypoints]
    geometry = np.array([(*found[i].pt, found[i].size, np.deg2rad(found[i].angle)) for i in order], np.float32)
    geometry[:, :2] -= OPENCV_BIAS_PX
    return RawFeatures(geometry, descriptors[order].astype(np.uint8))


def root_sift(descriptors: torch.Tensor) -> torch.Tensor:
    """Returns RootSIFT, (..., 128) float32 of unit length, from SIFT (..., 128).

    Source: Arandjelovic, Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
    """
    descriptors = descriptors.float()
    return (descriptors / descriptors.sum(-1, keepdim=True).clamp_min(1e-7)).sqrt()
