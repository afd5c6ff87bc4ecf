# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The sensor: noise and exposure of the size asked for, and nothing else."""

import numpy as np
import pytest

from lightmatch_ros.simulation.sensor import Sensor

SIZE = (160, 120)
GREY = np.full((120, 160, 3), 100, np.uint8)


def test_without_flaws_the_image_stays_as_it_is():
    assert np.array_equal(Sensor(SIZE).expose(GREY, 3.0), GREY)


def test_noise_has_the_standard_deviation_asked_for():
    noisy = Sensor(SIZE, noise_std=5.0).expose(GREY, 0.0).astype(float)
    assert noisy.mean() == pytest.approx(100, abs=0.2)
    assert noisy.std() == pytest.approx(5, rel=0.05)


def test_noise_differs_between_frames_and_not_between_runs():
    runs = [[sensor.expose(GREY, 0.0) for _ in range(3)] for sensor in (Sensor(SIZE, 5.0), Sensor(SIZE, 5.0))]
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    assert not np.array_equal(runs[0][0], runs[0][1])


def test_noise_saturates():
    for level in (0, 255):
        noisy = Sensor(SIZE, noise_std=10.0).expose(np.full_like(GREY, level), 0.0).astype(float)
        assert abs(noisy - level).max() < 60
        assert abs(noisy - level).mean() == pytest.approx(10 / np.sqrt(2 * np.pi), rel=0.1)


def test_exposure_swings_within_its_bounds():
    sensor = Sensor(SIZE, exposure_drift=0.3)
    means = [sensor.expose(GREY, t).mean() for t in np.linspace(0, 20, 200)]
    assert means[0] == 100
    assert max(means) == pytest.approx(130, abs=0.6)
    assert min(means) == pytest.approx(70, abs=0.6)


def test_the_argument_is_not_changed():
    image = GREY.copy()
    Sensor(SIZE, 5.0, 0.5).expose(image, 4.0)
    assert np.array_equal(image, GREY)
