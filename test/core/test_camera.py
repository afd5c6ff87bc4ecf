# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Cameras from matrices and from the fields of CameraInfo."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmatch_ros.core.camera import CameraModel, RegionOfInterest
from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.errors import CalibrationError

K = [517.3, 0.0, 318.6, 0.0, 516.5, 255.3, 0.0, 0.0, 1.0]
D = [0.2624, -0.9531, -0.0054, 0.0026, 1.1633]
P = [500.0, 0.0, 320.0, -60.0, 0.0, 501.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
R = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def from_info(**changes):
    fields = dict(width=640, height=480, distortion_model="plumb_bob", D=D, K=K, R=R, P=P)
    return CameraModel.from_camera_info(**{**fields, **changes})


def test_raw_image_takes_k_and_d():
    camera = from_info()
    np.testing.assert_array_equal(camera.K, np.reshape(K, (3, 3)))
    np.testing.assert_array_equal(camera.D, D)
    assert (camera.model, camera.width, camera.height) == (DistortionModel.PLUMB_BOB, 640, 480)
    assert camera.focal == pytest.approx((517.3 + 516.5) / 2)


def test_rectified_image_takes_p_without_d():
    camera = from_info(rectified=True, distortion_model="whatever the driver says")
    np.testing.assert_array_equal(camera.K, [[500, 0, 320], [0, 501, 240], [0, 0, 1]])
    assert camera.model is DistortionModel.NONE and not camera.D.any()


@pytest.mark.parametrize("rectified", [False, True])
def test_zero_k_means_uncalibrated(rectified):
    assert from_info(K=[0.0] * 9, P=[0.0] * 12, D=[], distortion_model="", rectified=rectified) is None


def test_no_distortion_under_any_name():
    for name, coefficients in [("", []), ("", [0.0] * 5), ("plumb_bob", []), ("plumb_bob", [0.0] * 5)]:
        camera = from_info(distortion_model=name, D=coefficients)
        np.testing.assert_allclose(camera.normalize([[318.6 + 517.3, 255.3]]), [[1.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"K": [math.nan, *K[1:]]}, "K: .* wanted finite"),
        ({"K": [math.inf, *K[1:]]}, "K: .* wanted finite"),
        ({"K": [-517.3, *K[1:]]}, "focal length: got -517.3, 516.5, wanted positive"),
        ({"K": K[:8]}, "K: got 8 numbers, wanted 9"),
        ({"K": [*K[:8], 2.0]}, "K: got .* wanted"),
        ({"D": [0.1, 0.2, 0.3]}, "D: got 3 coefficients"),
        ({"D": [math.nan] * 5}, "D: got .* wanted finite"),
        ({"distortion_model": "fisheye"}, "distortion model: got 'fisheye', wanted one of"),
        ({"distortion_model": ""}, "distortion model: got ''"),
        ({"rectified": True, "P": [0.0] * 12}, "focal length: got 0, 0"),
        ({"rectified": True, "P": [math.nan] * 12}, "P: got"),
        ({"width": 0, "height": 0}, "image size: got 0x0"),
        ({"binning_x": -1}, "binning_x: got -1"),
        ({"roi": RegionOfInterest(600, 0, 100, 100)}, "region of interest: got 100x100 at .600, 0."),
        ({"roi": RegionOfInterest(0, 0, 100, 0)}, "region of interest"),
    ],
)
def test_unusable_calibration(changes, text):
    with pytest.raises(CalibrationError, match=text):
        from_info(**changes)


@settings(max_examples=50, deadline=None)
@given(
    binning_x=st.integers(0, 4),
    binning_y=st.integers(0, 4),
    x_offset=st.integers(0, 200),
    y_offset=st.integers(0, 100),
    rectified=st.booleans(),
)
def test_region_then_binning(binning_x, binning_y, x_offset, y_offset, rectified):
    """A point keeps its ray: its pixel loses the offset and is divided, as image_geometry does."""
    full = from_info(rectified=rectified)
    roi = RegionOfInterest(x_offset, y_offset, 400, 300, do_rectify=rectified)
    camera = from_info(binning_x=binning_x, binning_y=binning_y, roi=roi, rectified=rectified)
    bx, by = max(binning_x, 1), max(binning_y, 1)
    pixels = np.array([[250.0, 180.0], [310.5, 222.25], [399.0, 300.0]])
    binned = (pixels - [x_offset, y_offset]) / [bx, by]
    np.testing.assert_allclose(camera.normalize(binned), full.normalize(pixels), atol=1e-8)
    assert (camera.width, camera.height) == (400 // bx, 300 // by)


def test_region_of_the_full_image():
    for roi in (None, RegionOfInterest(), RegionOfInterest(0, 0, 640, 480)):
        camera = from_info(roi=roi)
        assert (camera.width, camera.height) == (640, 480)
        np.testing.assert_array_equal(camera.K, np.reshape(K, (3, 3)))


def test_check_image_size():
    camera = from_info(binning_x=2, binning_y=2)
    camera.check_image_size(320, 240)
    with pytest.raises(CalibrationError, match="got 640x480, wanted 320x240"):
        camera.check_image_size(640, 480)


def test_pixel_centre_is_an_integer():
    """The middle of a 4 x 4 image lies between its pixels 1 and 2."""
    camera = CameraModel.from_matrix([[10, 0, 1.5], [0, 10, 1.5], [0, 0, 1]], (4, 4))
    np.testing.assert_allclose(camera.normalize([[1.5, 1.5], [1, 2]]), [[0, 0], [-0.05, 0.05]])


def test_project_3d():
    camera = CameraModel.from_matrix(np.reshape(K, (3, 3)), (640, 480))
    pixels = camera.project(np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [1.0, 1.0, -1.0]]))
    np.testing.assert_allclose(pixels[0], [517.3 * 0.25 + 318.6, 516.5 * 0.5 + 255.3])
    assert np.isnan(pixels[1:]).all()


@pytest.mark.parametrize("count", [0, 1])
def test_few_points(count):
    camera = from_info()
    assert camera.normalize(np.zeros((count, 2))).shape == (count, 2)
    assert camera.project(np.zeros((count, 2))).shape == (count, 2)
    assert camera.project(np.ones((count, 3))).shape == (count, 2)


def test_from_matrix_picks_the_model_by_length():
    matrix = np.reshape(K, (3, 3))
    assert CameraModel.from_matrix(matrix, (640, 480)).model is DistortionModel.NONE
    assert CameraModel.from_matrix(matrix, (640, 480), D).model is DistortionModel.PLUMB_BOB
    rational = CameraModel.from_matrix(matrix, (640, 480), [0.1] * 8)
    assert rational.model is DistortionModel.RATIONAL_POLYNOMIAL
    with pytest.raises(CalibrationError, match="D: got 6"):
        CameraModel.from_matrix(matrix, (640, 480), [0.1] * 6)
