# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The soft partial assignment between two point sets and the matches read from it.

Source: LightGlue (ICCV 2023), eq. 5-8.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AssignmentHead(nn.Module):
    """Turns the states of two images into similarities and matchabilities."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.matchability = nn.Linear(dim, 1)
        self.final_proj = nn.Linear(dim, dim)

    def forward(self, x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns similarity (..., M, N) and matchability logits (..., M), (..., N)."""
        return self.project(x0) @ self.project(x1).mT, self.logits(x0), self.logits(x1)

    def project(self, x: Tensor) -> Tensor:
        """Returns what the similarity is the inner product of, (..., M, D)."""
        projected: Tensor = self.final_proj(x) * x.shape[-1] ** -0.25
        return projected

    def logits(self, x: Tensor) -> Tensor:
        """Returns the matchability logits, (..., M)."""
        logits: Tensor = self.matchability(x).squeeze(-1)
        return logits


def log_assignment(similarity: Tensor, logits0: Tensor, logits1: Tensor) -> Tensor:
    """Returns the log of the assignment matrix, (..., M, N), without the dustbins (eq. 7).

    A double softmax over rows and columns, times both points' matchabilities.
    """
    rows = similarity - similarity.logsumexp(-1, keepdim=True)
    columns = similarity - similarity.logsumexp(-2, keepdim=True)
    return rows + columns + F.logsigmoid(logits0).unsqueeze(-1) + F.logsigmoid(logits1).unsqueeze(-2)


def mutual_matches(log_scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Reads the matches from one log assignment matrix, (M, N) with M, N >= 1.

    Returns:
        indices0 (K,), indices1 (K,) int64 and scores (K,) of the pairs that are each other's best and score above
        the threshold, in the order of indices0.
    """
    best0, best1_of_0 = log_scores.max(1)
    return mutual_pairs(best0.exp(), best1_of_0, log_scores.argmax(0), threshold)


def mutual_pairs(
    scores: Tensor, best1_of_0: Tensor, best0_of_1: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns what `mutual_matches` does, for rows' best scores (M,) and columns (M,), and columns' best rows (N,)."""
    own = torch.arange(len(scores), device=scores.device)
    indices0 = ((best0_of_1[best1_of_0] == own) & (scores > threshold)).nonzero().squeeze(1)  # sync: K is data
    return indices0, best1_of_0[indices0], scores[indices0]
