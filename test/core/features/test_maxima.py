# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Strict local maxima, against kornia and against comparisons one by one."""

import kornia.geometry.subpix
import numpy as np
import pytest
import torch

from lightmatch_ros.core.features.maxima import strict_maxima


def one_by_one(scores, threshold):
    """(x, y) of the pixels whose 5 x 5 window lies in the image and holds nothing as large."""
    found = []
    for y in range(2, scores.shape[0] - 2):
        for x in range(2, scores.shape[1] - 2):
            window = scores[y - 2 : y + 3, x - 2 : x + 3]
            if scores[y, x] > threshold and (window >= scores[y, x]).sum() == 1:
                found.append((x, y))
    return found


def pairs(maxima):
    return [(int(x), int(y)) for x, y in zip(*maxima, strict=True)]


@pytest.mark.parametrize("levels", [3, 20, 10**6])
@pytest.mark.parametrize("size", [(5, 5), (6, 9), (23, 31)])
def test_of_any_scores(size, levels):
    """Few levels: many ties."""
    scores = np.random.default_rng(levels).integers(0, levels, size).astype(np.float32) / levels
    found = pairs(strict_maxima(torch.from_numpy(scores), 0.4))
    assert found == one_by_one(scores, 0.4)


def test_equals_kornia():
    scores = torch.rand(120, 160, generator=torch.Generator().manual_seed(0)) ** 4
    mask = kornia.geometry.subpix.nms2d(scores[None, None], (5, 5), mask_only=True)[0, 0] & (scores > 0.05)
    x, y = strict_maxima(scores, 0.05)
    assert len(x) > 300
    torch.testing.assert_close(torch.stack([y, x], dim=1), mask.nonzero())


def test_every_place_of_the_window_counts():
    """A larger or equal pixel anywhere in the window, and nowhere else, takes the maximum away."""
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            scores = torch.zeros(16, 16)
            scores[8, 8] = scores[8 + dy, 8 + dx] = 0.9
            expected = [(8, 8)] if (dx, dy) == (0, 0) else []
            if max(abs(dx), abs(dy)) == 3:
                expected = sorted([(8, 8), (8 + dx, 8 + dy)], key=lambda place: place[::-1])
            assert pairs(strict_maxima(scores, 0.5)) == expected


@pytest.mark.parametrize("size", [(1, 1), (4, 40), (40, 4), (5, 4)])
def test_images_without_a_whole_window(size):
    x, y = strict_maxima(torch.rand(size), 0.0)
    assert x.shape == y.shape == (0,)
    assert x.dtype == y.dtype == torch.int64


def test_threshold_itself_is_not_enough():
    scores = torch.zeros(9, 9)
    scores[4, 4] = 0.5
    assert pairs(strict_maxima(scores, 0.5)) == []
    assert pairs(strict_maxima(scores, 0.49)) == [(4, 4)]
