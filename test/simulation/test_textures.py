# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Textures: reproducible, rich in features, without repetition."""

import cv2
import numpy as np
import pytest

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.simulation.canvas import Canvas, noise
from lightmatch_ros.simulation.textures import MAX_SIDE, Surface, texture

EACH_SURFACE = pytest.mark.parametrize("surface", Surface)


@EACH_SURFACE
def test_is_a_colour_image_of_the_size_asked_for(surface):
    picture = texture(surface, (200, 120), 3)
    assert picture.shape == (120, 200, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


@EACH_SURFACE
def test_the_seed_decides(surface):
    first, again, other = (texture(surface, (160, 100), seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@EACH_SURFACE
@pytest.mark.parametrize("size", [(8, 8), (9, 300), (300, 9)])
def test_small_and_narrow_surfaces(surface, size):
    assert texture(surface, size, 0).shape == (size[1], size[0], 3)


@EACH_SURFACE
def test_has_hundreds_of_features_on_two_square_metres(surface):
    picture = texture(surface, (640, 320), 5)  # 2 m x 1 m
    assert len(cv2.SIFT_create().detect(picture, None)) > 200


@EACH_SURFACE
def test_no_part_looks_like_another(surface):
    picture = cv2.cvtColor(texture(surface, (960, 640), 7), cv2.COLOR_BGR2GRAY)
    y, x, side = 200, 300, 120
    likeness = cv2.matchTemplate(picture, picture[y : y + side, x : x + side], cv2.TM_CCOEFF_NORMED)
    assert likeness[y, x] > 0.99
    likeness[y - 30 : y + 31, x - 30 : x + 31] = 0
    assert likeness.max() < 0.85


@pytest.mark.parametrize("size", [(0, 100), (100, 7), (MAX_SIDE + 1, 100)])
def test_refuses_a_size_out_of_range(size):
    with pytest.raises(ConfigurationError, match=r"texture size: got .*, wanted 8 to"):
        texture(Surface.BRICKS, size, 0)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_a_scale_out_of_range(scale):
    with pytest.raises(ConfigurationError, match="texels_per_m: got"):
        texture(Surface.BRICKS, (100, 100), 0, scale)


def test_scale_sets_the_size_of_what_is_painted():
    """The rows of bricks are 0.075 m high: their joints repeat with that period."""
    for scale in (200.0, 400.0):
        picture = texture(Surface.BRICKS, (400, 600), 1, scale)
        rows = picture.mean((1, 2)) - picture.mean()
        spectrum = np.abs(np.fft.rfft(rows))
        period = 0.075 * scale
        low, high = round(600 / period * 0.8), round(600 / period * 1.2)
        assert low <= 3 + spectrum[3 : 2 * high].argmax() <= high


@pytest.mark.parametrize("coarsest", [1, 16, 200])
def test_noise_is_normalised(coarsest):
    field = noise((300, 200), np.random.default_rng(0), coarsest)
    assert field.shape == (200, 300)
    assert field.dtype == np.float32
    assert abs(field.mean()) < 1e-3
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_a_part_paints_on_the_whole():
    canvas = Canvas(np.zeros((50, 80, 3), np.uint8), np.random.default_rng(0), 100)
    canvas.part((10, 20, 30, 5)).fill((1, 2, 3))
    painted = np.argwhere(canvas.image.any(2))
    assert painted.min(0).tolist() == [20, 10]
    assert painted.max(0).tolist() == [24, 39]
