# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from lightmatch_ros.core.errors import ImageError
from lightmatch_ros.ros.image_conversions import array_to_image, depth_to_array, image_to_array

RANDOM = np.random.default_rng(0)
BGR = RANDOM.integers(0, 256, (6, 8, 3), np.uint8)
GREY = RANDOM.integers(0, 256, (6, 8), np.uint8)


@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("bgr8", BGR, BGR),
        ("8UC3", BGR, BGR),
        ("rgb8", BGR[..., ::-1], BGR),
        ("mono8", GREY, GREY),
        ("8UC1", GREY, GREY),
        ("rgba8", np.dstack([BGR[..., ::-1], GREY]), BGR),
        ("bgra8", np.dstack([BGR, GREY]), BGR),
        ("mono16", GREY.astype(np.uint16) * 257, GREY),
        ("16UC1", GREY.astype(np.uint16) * 257, GREY),
    ],
)
def test_encodings(encoding, pixels, expected):
    message = array_to_image(pixels, encoding)
    assert np.abs(image_to_array(message).astype(int) - expected).max() <= 1
    assert message.encoding == encoding, "the message stays as it was"


def test_bayer_of_a_flat_colour():
    mosaic = np.full((8, 8), 90, np.uint8)
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = 200, 30
    colour = image_to_array(array_to_image(mosaic, "bayer_rggb8"))
    assert colour[4, 4].tolist() == [30, 90, 200]


def test_rows_may_be_padded():
    padded = np.zeros((6, 40), np.uint8)
    padded[:, :24] = BGR.reshape(6, 24)
    message = array_to_image(padded, "mono8")
    message.encoding, message.width, message.step = "bgr8", 8, 40
    np.testing.assert_array_equal(image_to_array(message), BGR)


def test_big_endian():
    message = array_to_image((GREY.astype(np.uint16) * 257).byteswap(), "mono16")
    message.is_bigendian = 1
    assert np.abs(image_to_array(message).astype(int) - GREY).max() <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "0 x 6 pixels"),
        ({"height": 0}, "8 x 0 pixels"),
        ({"step": 23}, "step 23, wanted at least 24"),
        ({"data": array.array("B", [1] * 100)}, "100 bytes, wanted 144"),
        ({"data": array.array("B")}, "0 bytes, wanted 144"),
        ({"encoding": "xyz"}, "'xyz'"),
        ({"encoding": ""}, "''"),
    ],
)
def test_faults_are_named(change, message):
    image = array_to_image(BGR, "bgr8")
    for name, value in change.items():
        setattr(image, name, value)
    with pytest.raises(ImageError, match=message):
        image_to_array(image)
    with pytest.raises(ImageError):
        image_to_array(Image())


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed(suffix):
    smooth = cv2.GaussianBlur(cv2.resize(BGR, (64, 48)), (0, 0), 4)
    data = cv2.imencode(suffix, smooth)[1].tobytes()
    decoded = image_to_array(CompressedImage(format=suffix[1:], data=data))
    assert np.abs(decoded.astype(int) - smooth).mean() < 3


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0 broken"])
def test_broken_compressed_image(data):
    with pytest.raises(ImageError, match="cannot decode"):
        image_to_array(CompressedImage(format="jpeg", data=data))


def test_depth_in_millimetres_and_metres():
    millimetres = array_to_image(np.array([[0, 1500]], np.uint16), "16UC1")
    np.testing.assert_allclose(depth_to_array(millimetres), [[0, 1.5]], rtol=1e-6)
    metres = array_to_image(np.array([[np.nan, 1.5, np.inf]], np.float32), "32FC1")
    np.testing.assert_array_equal(depth_to_array(metres), [[0, 1.5, 0]])
    with pytest.raises(ImageError, match="'bgr8'"):
        depth_to_array(array_to_image(BGR, "bgr8"))


def test_image_message_round_trip():
    message = array_to_image(BGR[:, ::2], "bgr8")
    assert (message.width, message.height, message.step) == (4, 6, 12)
    np.testing.assert_array_equal(image_to_array(message), BGR[:, ::2])
