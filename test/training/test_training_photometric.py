# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from lightmatch_ros.evaluation import photometric


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)


def test_strength_zero_changes_nothing(image):
    np.testing.assert_array_equal(photometric.degrade(np.random.default_rng(0), image, 0.0), image)


def test_every_degradation_keeps_shape_and_type(image):
    for seed in range(40):
        out = photometric.degrade(np.random.default_rng(seed), image, 1.0)
        assert out.shape == image.shape
        assert out.dtype == np.uint8


def test_same_seed_same_picture(image):
    one, two = (photometric.degrade(np.random.default_rng(7), image, 1.0) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_exposure_stays_within_its_range():
    grey = np.full((4, 4), 0.5, np.float32)
    values = [photometric.expose(np.random.default_rng(s), grey, 1.0)[0, 0] for s in range(300)]
    # Brightest: gamma 2^-0.7, gain 2^0.6, offset 0.1. Darkest: 2^0.7, 2^-0.8, -0.1.
    assert max(values) <= min(1.0, 0.5 ** (2**-0.7) * 2**0.6 + 0.1 + 1e-6)
    assert min(values) >= 0.5 ** (2**0.7) * 2**-0.8 - 0.1 - 1e-6
    assert max(values) - min(values) > 0.5


def test_noise_has_the_stated_spread():
    white = np.ones((200, 200), np.float32)
    noisy = photometric.sensor_noise(np.random.default_rng(0), white, 0.02)
    assert (noisy - white).std() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(("direction", "axis"), [(0.0, 1), (np.pi / 2, 0)])
def test_motion_blur_spreads_a_point_along_its_direction(direction, axis):
    point = np.zeros((31, 31), np.float32)
    point[15, 15] = 1
    blurred = photometric.motion_blur(point, 8.0, direction)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    rows, columns = np.nonzero(blurred > 1e-6)
    extent = (np.ptp(rows), np.ptp(columns))
    assert 7 <= extent[axis] <= 9
    assert extent[1 - axis] == 0


def test_shadows_only_darken_or_tilt_the_light():
    white = np.full((50, 50), 0.5, np.float32)
    for seed in range(30):
        shaded = photometric.shade(np.random.default_rng(seed), white)
        assert shaded.min() >= 0.5 * min(0.35, np.exp(-1.4)) - 1e-6
        assert shaded.max() <= 0.5 * np.exp(1.4) + 1e-6


def test_occlusion_covers_what_its_mask_says():
    image, other = np.zeros((60, 80), np.uint8), np.full((30, 30), 255, np.uint8)
    covered, mask = photometric.occlude(np.random.default_rng(1), image, other)
    assert mask.any()
    np.testing.assert_array_equal(covered, np.where(mask, 255, 0))
