# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The loss of LightGlue: matches must score, the others must be unmatchable, after every layer.

Source: LightGlue (ICCV 2023), eq. 11 and section 3.4. Its matrices are never built: the score of a match needs one
similarity and two log-sum-exps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.ground_truth import Labels


def assignment_loss(similarity: Tensor, logits0: Tensor, logits1: Tensor, labels: Labels) -> Tensor:
    """Returns the loss of one layer's assignment, (B,), one number for each pair.

    Half of it is the mean negative log likelihood of the matches, half that of the points without a match being
    unmatchable, each image with half the weight of that.

    Args:
        similarity: (B, M, N).
        logits0: (B, M) matchability logits.
        logits1: (B, N) matchability logits.
        labels: ground truth.
    """
    similarity, logits0, logits1 = similarity.float(), logits0.float(), logits1.float()
    is_match = labels.matches0 >= 0
    column = labels.matches0.clamp_min(0)
    chosen = similarity.gather(2, column.unsqueeze(-1)).squeeze(-1)  # (B, M)
    rows, columns = similarity.logsumexp(2), similarity.logsumexp(1).gather(1, column)
    matchable = F.logsigmoid(logits0) + F.logsigmoid(logits1).gather(1, column)
    positive = _mean(2 * chosen - rows - columns + matchable, is_match)
    negative0 = _mean(F.logsigmoid(-logits0), labels.non_matches0)
    negative1 = _mean(F.logsigmoid(-logits1), labels.non_matches1)
    return -(0.5 * positive + 0.25 * negative0 + 0.25 * negative1)


def confidence_loss(logits: Tensor, agrees: Tensor, caution: float = 1.0) -> Tensor:
    """Binary cross-entropy of "this layer's match is the last layer's" (section 3.4), a scalar.

    Args:
        logits: (B, M) confidence before the sigmoid.
        agrees: (B, M) bool.
        caution: weight of the points that disagree; more than 1 stops later.
    """
    weight = torch.where(agrees, 1.0, caution)
    return F.binary_cross_entropy_with_logits(logits.float(), agrees.float(), weight)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values (B, M) under a mask, (B,); 0 where the mask is empty."""
    return torch.where(mask, values, 0).sum(1) / mask.sum(1).clamp_min(1)
