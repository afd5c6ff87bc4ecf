# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Resizing on the device against OpenCV's on the host."""

import cv2
import numpy as np
import pytest
import torch
from extractor_scenes import CPU, scene

from lightmatch_ros.core.features.resizer import MAX_SIZES, Resizer, area_weights, linear_weights
from lightmatch_ros.core.image import resample

# Levels of 255: area averages are rounded once; OpenCV's bilinear weights have 11 bits and round twice.
AREA, LINEAR = 0.501, 1.0


def levels(image, size):
    resized = Resizer(CPU).resize(torch.from_numpy(image).float()[None, None], size)
    assert resized.shape == (1, 1, size[1], size[0])
    return resized[0, 0].numpy()


@pytest.mark.parametrize(
    ("size", "tolerance"),
    [
        ((160, 120), AREA),  # whole steps, OpenCV's fast way
        ((224, 160), AREA),
        ((320, 32), AREA),  # one side alone
        ((319, 239), AREA),
        ((1, 1), AREA),
        ((352, 256), LINEAR),
        ((352, 224), LINEAR),  # one side grows: bilinear for both
        ((32, 480), LINEAR),
    ],
)
def test_as_opencv(size, tolerance):
    for image in (cv2.resize(scene(), (320, 240)), np.random.default_rng(0).integers(0, 256, (240, 320), np.uint8)):
        difference = np.abs(levels(image, size) - resample(image, size))
        assert difference.max() <= tolerance


def test_tiny_images_grow():
    image = np.array([[0, 100], [200, 50]], np.uint8)
    assert np.abs(levels(image, (32, 32)) - resample(image, (32, 32))).max() <= LINEAR
    np.testing.assert_array_equal(levels(image[:1, :1], (32, 32)), 0)


def test_the_same_size_is_the_same_image():
    image = torch.rand(1, 1, 5, 7)
    assert Resizer(CPU).resize(image, (7, 5)) is image


@pytest.mark.parametrize("weights", [area_weights, linear_weights])
@pytest.mark.parametrize(("source", "target"), [(1, 1), (7, 3), (8, 4), (640, 608), (641, 1)])
def test_weights_sum_to_one(weights, source, target):
    table = weights(source, target)
    assert table.shape == (target, source) and table.dtype == np.float32 and (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-5)


def test_weights_are_kept_for_a_few_sizes():
    resizer = Resizer(CPU)
    for k in range(3 * MAX_SIZES):
        for _ in range(2):
            resizer.resize(torch.zeros(40, 40 + k), (8, 8))
    info = resizer._weights.cache_info()
    assert (info.currsize, info.misses, info.hits) == (MAX_SIZES, 3 * MAX_SIZES, 3 * MAX_SIZES)


def test_grey_on_the_device_as_on_the_host(build):
    """The mean of the channels before the resizing, not after it: they commute but for the rounding."""
    colour = cv2.resize(cv2.merge([scene(seed=s) for s in range(3)]), (300, 200))
    extractor, size = build("xfeat"), (288, 192)
    host = extractor._mean(resample(colour, size))
    device = extractor._resizer.resize(extractor._mean(colour), size)
    torch.testing.assert_close(device, host, rtol=0, atol=AREA / 255)
    torch.testing.assert_close(extractor._working_image(colour, size), host, rtol=0, atol=0)
