# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""SIFT keypoints with RootSIFT descriptors, on the CPU by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from lightmatch_ros.core.features.base import Detection, ResizingExtractor
from lightmatch_ros.core.image import Size, resample, to_gray
from lightmatch_ros.core.types import ByteArray, FloatArray

# Half of OpenCV's. With its three layers an octave it is COLMAP's peak threshold 0.02/3, that of the features that
# LightGlue's SIFT weights were trained with. Blurred indoor frames (TUM fr1/rpy) give 1.6 times the inliers.
CONTRAST_THRESHOLD = 0.02

# OpenCV enlarges the image so that its pixel x lands on 2x + 0.5, but maps 2x back to x: every keypoint comes out
# 0.25 pixels right of and below the structure (measured on Gaussian blobs with OpenCV 4.6, 4.10, 5.0).
OPENCV_BIAS_PX = 0.25


class SiftExtractor(ResizingExtractor):
    """SIFT. A place with two dominant orientations gives two keypoints; scales are diameters. Not thread-safe.

    Source: Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; Arandjelovic, Zisserman,
    "Three things everyone should know to improve object retrieval", CVPR 2012 (RootSIFT).

    Args:
        device: where the descriptors go.
        max_keypoints: most keypoints of an image.
        resize: longer side that images are shrunk to, pixels; 0 = as they are.
    """

    name = "sift"
    descriptor_dim = 128

    def __init__(self, device: torch.device, max_keypoints: int, resize: int = 0) -> None:
        super().__init__(device, max_keypoints, resize)
        self._best = cv2.SIFT.create(nfeatures=max_keypoints, contrastThreshold=CONTRAST_THRESHOLD)
        # OpenCV cuts to nfeatures before it applies a mask, so with a mask all are taken.
        self._all = cv2.SIFT.create(nfeatures=0, contrastThreshold=CONTRAST_THRESHOLD)

    def _detect(self, image: ByteArray, size: Size, *, masked: bool) -> Detection:
        detector = self._all if masked else self._best
        found, descriptors = detector.detectAndCompute(resample(to_gray(image), size), None)
        if not found:
            descriptors = np.empty((0, self.descriptor_dim), np.float32)
        rows = [(*k.pt, k.response, k.size, k.angle) for k in found]
        table = np.array(rows, np.float32).reshape(-1, 5)  # (M, 5)
        # OpenCV leaves the two orientations of a place, equal in response, in no order of its own.
        order = np.lexsort((table[:, 4], table[:, 1], table[:, 0]))
        table, descriptors = table[order], descriptors[order]
        return Detection(
            keypoints=table[:, :2] - np.float32(OPENCV_BIAS_PX),
            scores=table[:, 2],
            describe=lambda chosen: torch.from_numpy(root_sift(descriptors[chosen])).to(self._device),
            scales=table[:, 3],
            orientations=np.deg2rad(table[:, 4]),
        )


def root_sift(descriptors: FloatArray) -> FloatArray:
    """Returns (M, 128) float32 of unit length: the square roots of SIFT (M, 128) that sums to one."""
    total = descriptors.sum(axis=1, keepdims=True)
    rooted: FloatArray = np.sqrt(descriptors / np.maximum(total, np.float32(1e-7)))
    return rooted
