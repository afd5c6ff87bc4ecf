# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a matcher is measured by: precision, recall, and the corner error of the homography.

Source: precision as in SuperGlue (CVPR 2020), section 5.1; corner error and its area under the curve as in LoFTR
(CVPR 2021), section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import ground_truth
from training.dataset import Batch


@dataclass(frozen=True)
class Tally:
    """Counts over pairs.

    Attributes:
        found: matches given.
        correct: of those, within MATCH_PX.
        true: matches in the ground truth.
        recalled: of those, given.
    """

    found: int = 0
    correct: int = 0
    true: int = 0
    recalled: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.found + other.found,
            self.correct + other.correct,
            self.true + other.true,
            self.recalled + other.recalled,
        )

    @property
    def precision(self) -> float:
        """Correct of all matches given; 0 where none is."""
        return self.correct / max(self.found, 1)

    @property
    def recall(self) -> float:
        """Given of all true matches; 0 where there is none."""
        return self.recalled / max(self.true, 1)


def tally_batch(matches0: Tensor, batch: Batch) -> Tally:
    """Counts matches (B, M), index in image 1 or -1, against geometry.

    A match is correct where its features lie together, also where the ground truth prefers another feature at the
    same place; a true match is recalled where its feature of image 0 has a correct match.
    """
    given = matches0 >= 0
    distance = batch.distances.gather(2, matches0.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    correct = given & (distance < ground_truth.MATCH_PX)
    true = batch.labels.matches0 >= 0
    return Tally(int(given.sum()), int(correct.sum()), int(true.sum()), int((correct & true).sum()))


def ratio_matches(batch: Batch, ratio: float = 0.8) -> Tensor:
    """The baseline (B, M): nearest descriptors, mutual, nearer than ratio times the second nearest.

    Source: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 7.1.
    """
    descriptors = batch.points.descriptors
    distances = (2 - 2 * descriptors[0] @ descriptors[1].mT).clamp_min(0).sqrt()
    nearest, index = distances.topk(2, 2, largest=False)
    back = distances.argmin(1)
    mutual = back.gather(1, index[..., 0]) == torch.arange(distances.shape[1], device=distances.device)
    return torch.where(mutual & (nearest[..., 0] < ratio * nearest[..., 1]), index[..., 0], -1)


def corner_error(
    points0: NDArray[np.float32], points1: NDArray[np.float32], H: NDArray[np.float64], size: tuple[int, int]
) -> float:
    """Mean distance, pixels, of image 0's corners under the estimated and the true homography; inf where none is.

    Args:
        points0: (K, 2) pixels.
        points1: (K, 2) pixels.
        H: (3, 3) true homography, ``x1 ~ H x0``.
        size: (width, height) of image 0.
    """
    if len(points0) < 4:
        return float("inf")
    cv2.setRNGSeed(0)
    estimate, _ = cv2.findHomography(points0, points1, cv2.USAC_MAGSAC, 3.0, maxIters=2000, confidence=0.9999)
    if estimate is None or not np.isfinite(estimate).all():
        return float("inf")
    w, h = size
    corners = np.array([[[0, 0]], [[w - 1, 0]], [[w - 1, h - 1]], [[0, h - 1]]], np.float64)
    there, truth = cv2.perspectiveTransform(corners, estimate), cv2.perspectiveTransform(corners, H)
    return float(np.linalg.norm(there - truth, axis=-1).mean())


def auc(errors: Sequence[float], threshold: float) -> float:
    """Area under the curve of recall over error up to a threshold, 0 to 1 (trapezoids, as in SuperGlue's code)."""
    ordered = np.sort(np.asarray(errors, np.float64))
    recall = (np.arange(len(ordered)) + 1) / max(len(ordered), 1)
    count = int(np.searchsorted(ordered, threshold))
    x = np.concatenate([[0.0], ordered[:count], [threshold]])
    y = np.concatenate([[0.0], recall[:count], [recall[count - 1] if count else 0.0]])
    return float(np.trapezoid(y, x) / threshold)
