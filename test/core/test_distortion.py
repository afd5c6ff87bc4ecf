# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Lens models against their published formulas, and their inverses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmatch_ros.core import distortion
from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.errors import CalibrationError

K = np.array([[400.0, 0.0, 319.5], [0.0, 410.0, 239.5], [0.0, 0.0, 1.0]])
PLUMB_BOB = np.array([0.2624, -0.9531, -0.0054, 0.0026, 1.1633])  # a real VGA camera, strong
RATIONAL = np.array([0.5, -0.3, 0.001, -0.002, 0.1, 0.6, -0.2, 0.05])
EQUIDISTANT = np.array([-0.01, 0.02, -0.01, 0.002])
LENSES = [
    (PLUMB_BOB, DistortionModel.PLUMB_BOB),
    (np.array([-0.3, 0.1, 0.001, -0.002]), DistortionModel.PLUMB_BOB),
    (RATIONAL, DistortionModel.RATIONAL_POLYNOMIAL),
    (EQUIDISTANT, DistortionModel.EQUIDISTANT),
    (np.array([]), DistortionModel.NONE),
]


def by_formula(ray, D, model):
    """sensor_msgs/CameraInfo's models, for one ray, written out."""
    x, y = ray
    if model is DistortionModel.EQUIDISTANT:
        r = np.hypot(x, y)
        theta = np.arctan(r)
        scale = theta * (1 + D[0] * theta**2 + D[1] * theta**4 + D[2] * theta**6 + D[3] * theta**8) / r
        x, y = x * scale, y * scale
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate((D, np.zeros(8 - len(D))))
        r2 = x * x + y * y
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        )
    return K[0, 0] * x + K[0, 2], K[1, 1] * y + K[1, 2]


@pytest.mark.parametrize(("D", "model"), LENSES)
def test_distort_follows_the_formula(D, model):
    rays = np.array([[0.1, 0.2], [-0.4, 0.3], [0.5, -0.1], [-0.3, -0.35]])
    expected = [by_formula(ray, D, model) for ray in rays]
    np.testing.assert_allclose(distortion.distort(rays, K, D, model), expected, atol=1e-9)


@pytest.mark.parametrize(("D", "model"), LENSES)
def test_undistort_inverts_over_the_whole_image(D, model):
    pixels = np.stack(np.meshgrid(np.linspace(60, 580, 14), np.linspace(40, 440, 11)), -1).reshape(-1, 2)
    rays = distortion.undistort(pixels, K, D, model)
    np.testing.assert_allclose(distortion.distort(rays, K, D, model), pixels, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(
    lens=st.sampled_from(LENSES),
    x=st.floats(-0.55, 0.55),
    y=st.floats(-0.45, 0.45),
)
def test_undistort_recovers_the_ray(lens, x, y):
    D, model = lens
    pixel = distortion.distort(np.array([[x, y]]), K, D, model)
    np.testing.assert_allclose(distortion.undistort(pixel, K, D, model), [[x, y]], atol=2e-8)


@pytest.mark.parametrize(("D", "model"), LENSES)
@pytest.mark.parametrize("count", [0, 1])
def test_few_points(D, model, count):
    points = np.full((count, 2), 250.0)
    assert distortion.undistort(points, K, D, model).shape == (count, 2)
    assert distortion.distort(points / 1000.0, K, D, model).shape == (count, 2)


def test_fisheye_ray_at_right_angles_to_the_axis_has_no_coordinates():
    D, model = np.array([0.0, 0.0, 0.0, 1e-9]), DistortionModel.EQUIDISTANT
    off_axis = K[0, 2] + K[0, 0] * np.radians([60.0, 89.0, 91.0, 130.0])
    rays = distortion.undistort(np.column_stack((off_axis, np.full(4, K[1, 2]))), K, D, model)
    np.testing.assert_allclose(rays[:2, 0], np.tan(np.radians([60.0, 89.0])), rtol=1e-4)
    assert np.isnan(rays[2:]).all()


def test_unusable_points_stay_unusable():
    points = np.array([[np.nan, 10.0], [320.0, 240.0], [np.inf, 0.0]])
    rays = distortion.undistort(points, K, PLUMB_BOB, DistortionModel.PLUMB_BOB)
    assert np.isfinite(rays).all(axis=1).tolist() == [False, True, False]


def test_names():
    assert distortion.named("plumb_bob", [0.1, 0, 0, 0, 0])[1] is DistortionModel.PLUMB_BOB
    assert distortion.named("equidistant", [0.1, 0, 0, 0])[1] is DistortionModel.EQUIDISTANT
    coefficients, model = distortion.named("", [0.0] * 5)
    assert model is DistortionModel.NONE and len(coefficients) == 0


@pytest.mark.parametrize(("name", "D"), [("fisheye", [0.1] * 4), ("", [0.1] * 5), ("", [np.nan])])
def test_unknown_name(name, D):
    with pytest.raises(CalibrationError):
        distortion.named(name, D)


@pytest.mark.parametrize(
    ("D", "model", "text"),
    [
        ([0.1] * 3, DistortionModel.PLUMB_BOB, "got 3 coefficients, wanted 0 or 4 or 5 for plumb_bob"),
        ([0.1] * 5, DistortionModel.EQUIDISTANT, "got 5 coefficients, wanted 0 or 4"),
        ([0.1] * 5, DistortionModel.RATIONAL_POLYNOMIAL, "got 5 coefficients, wanted 0 or 8"),
        ([0.1], DistortionModel.NONE, "got 1 coefficients, wanted 0"),
    ],
)
def test_wrong_number_of_coefficients(D, model, text):
    with pytest.raises(CalibrationError, match=text):
        distortion.check(np.array(D), model)
