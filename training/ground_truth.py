# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which features of two views match: geometry alone decides, never the descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MATCH_PX = 3.0
NON_MATCH_PX = 5.0
# SIFT gives a corner several scales and orientations: of features at one place those that agree in both are the match.
_SCALE_PENALTY_PX = 0.5  # for a factor of two; a guess
_ORIENTATION_PENALTY_PX = 0.5  # for a right angle; a guess
_FAR_PX = 1e6


@dataclass(frozen=True, eq=False)
class Labels:
    """Ground truth of a batch of pairs.

    Attributes:
        matches0: (B, M) int64, index of the match in image 1, or -1.
        non_matches0: (B, M) bool, surely without a match. Neither match nor non-match: ignored.
        non_matches1: (B, N) bool.
    """

    matches0: Tensor
    non_matches0: Tensor
    non_matches1: Tensor


def project(P: Tensor, world: Tensor) -> Tensor:
    """Projects world points (B, M, 3) with P (B, 3, 4) to pixels (B, M, 2); NaN for points behind the camera."""
    x = world @ P[:, :, :3].mT + P[:, None, :, 3]  # (B, M, 3)
    depth = torch.where(x[..., 2:] > 1e-6, x[..., 2:], torch.nan)
    return x[..., :2] / depth


def reprojection_distances(
    points0: Tensor, world0: Tensor, P0: Tensor, points1: Tensor, world1: Tensor, P1: Tensor
) -> Tensor:
    """Returns for each pair of features the larger of both reprojection distances, (B, M, N), pixels.

    Mutual, so that a point hidden in the other view does not match what hides it, and the scale of an image does
    not count. Features without a world point are far from all.
    """
    exact = "donot_use_mm_for_euclid_dist"  # the other mode loses pixels to cancellation
    there = torch.cdist(project(P1, world0).nan_to_num(_FAR_PX), points1, compute_mode=exact)
    back = torch.cdist(points0, project(P0, world1).nan_to_num(_FAR_PX), compute_mode=exact)
    return torch.maximum(there, back)


def label(distances: Tensor, scales: tuple[Tensor, Tensor], angles: tuple[Tensor, Tensor]) -> Labels:
    """Turns distances into labels.

    Args:
        distances: (B, M, N), pixels, from `reprojection_distances`.
        scales: (B, M) and (B, N), those of image 1 as seen from image 0: see `relative_scale`.
        angles: (B, M) and (B, N) orientations, radians, those of image 1 as seen from image 0: see `relative_angle`.

    Returns:
        Matches: each other's best, under MATCH_PX. Non-matches: nothing within NON_MATCH_PX.
    """
    ratio = (scales[0].log2().unsqueeze(-1) - scales[1].log2().unsqueeze(-2)).abs().clamp_max(2)
    cosine = (angles[0].unsqueeze(-1) - angles[1].unsqueeze(-2)).cos()
    costs = distances + _SCALE_PENALTY_PX * ratio + _ORIENTATION_PENALTY_PX * (1 - cosine)
    best1_of_0, best0_of_1 = costs.argmin(-1), costs.argmin(-2)
    rows = torch.arange(distances.shape[1], device=distances.device)
    mutual = best0_of_1.gather(1, best1_of_0) == rows
    close = distances.gather(2, best1_of_0.unsqueeze(-1)).squeeze(-1) < MATCH_PX
    matches0 = torch.where(mutual & close, best1_of_0, -1)
    return Labels(matches0, distances.amin(2) > NON_MATCH_PX, distances.amin(1) > NON_MATCH_PX)


def relative_scale(distances: Tensor, scales: Tensor) -> Tensor:
    """Returns how much larger things are in image 1 than in image 0, (B, 1): the median over what lies together.

    Args:
        distances: (B, M, N) from `reprojection_distances`.
        scales: (2, B, M).
    """
    near, index = distances.min(2)  # (B, M)
    ratio = (scales[1].gather(1, index) / scales[0]).log2()
    ratio = torch.where(near < MATCH_PX, ratio, torch.nan)
    return ratio.nanmedian(1, keepdim=True).values.nan_to_num(0.0).exp2()


def relative_angle(distances: Tensor, angles: Tensor) -> Tensor:
    """Returns by how much orientations are turned in image 1, (B, 1), radians: the mean direction.

    Arguments as for `relative_scale`. Under strong perspective it is only roughly that of each point, which is enough
    to tell apart the orientations of one corner.
    """
    near, index = distances.min(2)  # (B, M)
    turn = angles[1].gather(1, index) - angles[0]
    weight = (near < MATCH_PX).float()
    return torch.atan2((turn.sin() * weight).sum(1, keepdim=True), (turn.cos() * weight).sum(1, keepdim=True))


def matches_of_1(matches0: Tensor, count1: int) -> Tensor:
    """Returns the same matches seen from image 1, (B, N) int64, -1 for none."""
    matches1 = matches0.new_full((matches0.shape[0], count1 + 1), -1)
    target = torch.where(matches0 >= 0, matches0, count1)  # the last column takes what has no match
    rows = torch.arange(matches0.shape[1], device=matches0.device).expand_as(matches0)
    return matches1.scatter(1, target, rows)[:, :count1]
