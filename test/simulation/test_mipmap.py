# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Mip levels: their sizes and means, and where they are read."""

import numpy as np
import pytest

from lightmatch_ros.simulation.mipmap import LEVELS, pyramid, sample


def ramp(width=64, height=32):
    """Grey rises by 4 a column."""
    return np.tile((np.arange(width) * 4)[None, :, None], (height, 1, 3)).astype(np.uint8)


def grey_at(levels, mip, blend, a, b):
    columns = [np.atleast_1d(np.asarray(values, np.float32)) for values in np.broadcast_arrays(blend, a, b)]
    return sample(levels, mip, *columns).view(np.uint8).reshape(-1, 4)[:, 0].astype(int)


def test_halves_down_to_one_texel():
    shapes = [level.shape for level in pyramid(np.zeros((5, 12, 3), np.uint8))]
    assert shapes == [(5, 12, 4), (3, 6, 4), (2, 3, 4), (1, 2, 4), (1, 1, 4)]


def test_stops_at_the_last_level():
    assert len(pyramid(np.zeros((4, 1000, 3), np.uint8))) == LEVELS


@pytest.mark.parametrize("size", [(64, 64), (61, 37)])
def test_levels_keep_the_mean(size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    means = [level[..., :3].mean() for level in pyramid(picture)[:4]]
    assert means == pytest.approx([means[0]] * 4, abs=2)


@pytest.mark.parametrize("mip", [0, 1, 2])
@pytest.mark.parametrize("blend", [0.0, 0.5])
def test_every_level_is_read_at_the_same_place(mip, blend):
    """Where a = 2 (column + .5) / width - 1 the ramp has the value 4 column."""
    column = np.array([10.0, 20.5, 40.25])
    grey = grey_at(pyramid(ramp()), mip, blend, 2 * (column + 0.5) / 64 - 1, 0.1)
    assert np.abs(grey - 4 * column).max() <= 2


def test_the_border_goes_on():
    assert grey_at(pyramid(ramp()), 0, 0.0, [-1.0, 1.0], 0.0).tolist() == [0, 252]


def test_past_the_last_level_is_the_last():
    levels = pyramid(ramp(8, 8))
    assert grey_at(levels, 6, 0.5, 0.0, 0.0)[0] == pytest.approx(ramp(8, 8).mean(), abs=1)
