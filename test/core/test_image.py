# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Checks, sizes and the way back to original pixels, against the definitions."""

import cv2
import numpy as np
import pytest

from lightmatch_ros.core import image as im
from lightmatch_ros.core.errors import ConfigurationError, ImageError


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (5, 7, 3), (31, 2000)])
def test_usable_images_pass_unchanged(shape):
    given = np.full(shape, 7, np.uint8)
    assert im.check_image(given) is given


def test_view_becomes_contiguous_with_the_same_values():
    given = np.arange(24, dtype=np.uint8).reshape(4, 6)[::-1, ::2]
    checked = im.check_image(given)
    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, given)


@pytest.mark.parametrize(
    ("bad", "seen"),
    [
        (None, "NoneType"),
        ([[1, 2]], "list"),
        (np.zeros((4, 4), np.float32), "float32"),
        (np.zeros((4, 4), np.uint16), "uint16"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"\(4, 4, 1\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"\(2, 4, 4, 3\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        (np.zeros((4, 0, 3), np.uint8), r"\(4, 0, 3\)"),
    ],
)
def test_unusable_images_are_named(bad, seen):
    with pytest.raises(ImageError, match=f"{seen}.*wanted"):
        im.check_image(bad)


def test_gray_weights_are_bt601():
    bgr = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(im.to_gray(bgr), [[29, 150, 76]])  # 255 times 0.114, 0.587, 0.299


def test_gray_and_rgb_of_each_kind():
    gray = np.array([[3, 200]], np.uint8)
    assert im.to_gray(gray) is gray
    np.testing.assert_array_equal(im.to_rgb(gray), [[[3, 3, 3], [200, 200, 200]]])
    np.testing.assert_array_equal(im.to_rgb(np.array([[[1, 2, 3]]], np.uint8)), [[[3, 2, 1]]])


@pytest.mark.parametrize(
    ("size", "limit", "wanted"),
    [
        ((640, 480), 0, (640, 480)),
        ((640, 480), 640, (640, 480)),
        ((640, 480), 2000, (640, 480)),
        ((640, 480), 320, (320, 240)),
        ((480, 640), 320, (240, 320)),
        ((1226, 370), 640, (640, 193)),
        ((5000, 2), 100, (100, 1)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_longer_side_shrinks_and_never_grows(size, limit, wanted):
    assert im.shrunk_size(size, limit) == wanted


def test_same_size_is_the_same_image():
    given = np.zeros((4, 6, 3), np.uint8)
    assert im.resample(given, (6, 4)) is given


def test_shrinking_by_whole_factors_averages():
    blocks = np.kron(np.array([[10, 50], [90, 130]]), np.ones((3, 2))).astype(np.uint8)
    np.testing.assert_array_equal(im.resample(blocks, (2, 2)), [[10, 50], [90, 130]])


@pytest.mark.parametrize(("size", "original"), [((320, 240), (640, 480)), ((100, 31), (333, 77)), ((32, 32), (7, 5))])
def test_corners_of_the_area_go_to_corners(size, original):
    """The image area reaches from -.5 to side - .5 in both images."""
    corners = np.array([[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]])
    wanted = np.array([[-0.5, -0.5], [original[0] - 0.5, original[1] - 0.5]])
    np.testing.assert_allclose(im.to_original(corners, size, original), wanted, atol=1e-4)


def test_whole_factor_puts_a_pixel_at_the_middle_of_its_block():
    points = im.to_original(np.array([[0.0, 0.0], [1.0, 2.0]]), (4, 4), (12, 20))
    np.testing.assert_allclose(points, [[1, 2], [4, 12]])
    assert points.dtype == np.float32


@pytest.mark.parametrize("size", [(131, 97), (64, 40), (83, 97)])
def test_centroid_survives_the_way_there_and_back(size):
    """A smooth spot keeps its centre of mass, whatever the factor of each axis."""
    h, w, x, y = 190, 260, 101.3, 77.6
    grid = np.mgrid[0:h, 0:w]
    spot = np.exp(-((grid[1] - x) ** 2 + (grid[0] - y) ** 2) / (2 * 12**2))
    small = im.resample(np.rint(255 * spot).astype(np.uint8), size).astype(float)
    mass = np.mgrid[0 : size[1], 0 : size[0]] * small
    centre = np.array([[mass[1].sum(), mass[0].sum()]]) / small.sum()
    np.testing.assert_allclose(im.to_original(centre, size, (w, h)), [[x, y]], atol=0.02)


def test_no_points():
    assert im.to_original(np.empty((0, 2)), (4, 4), (8, 8)).shape == (0, 2)
    assert im.inside_mask(np.ones((4, 4), np.uint8), np.empty((0, 2), np.float32)).shape == (0,)


def test_mask_is_read_at_the_nearest_pixel():
    mask = np.zeros((3, 4), np.uint8)
    mask[1, 2] = 1
    points = np.array([[2, 1], [1.6, 1.4], [2.6, 1], [2, 0.4], [1.4, 1]], np.float32)
    np.testing.assert_array_equal(im.inside_mask(mask, points), [True, True, False, False, False])


def test_points_half_a_pixel_outside_count_to_the_border():
    mask = np.full((3, 4), 255, np.uint8)
    points = np.array([[-0.5, -0.5], [3.5, 2.5]], np.float32)
    assert im.inside_mask(mask, points).all()


@pytest.mark.parametrize("bad", [np.ones((4, 3), np.uint8), np.ones((3, 4, 3), np.uint8), np.ones((3, 4), bool)])
def test_masks_that_do_not_fit(bad):
    with pytest.raises(ImageError, match="wanted"):
        im.check_mask(bad, (4, 3))


def test_mask_file_round_trip(tmp_path):
    mask = np.array([[0, 255], [255, 0]], np.uint8)
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    np.testing.assert_array_equal(im.load_mask(str(tmp_path / "m.png")), mask)


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)])
def test_mask_files_of_another_kind(tmp_path, image):
    cv2.imwrite(str(tmp_path / "m.png"), image)
    with pytest.raises(ConfigurationError, match="wanted 8 bit"):
        im.load_mask(str(tmp_path / "m.png"))


def test_mask_files_that_are_none(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for name in ("absent.png", "broken.png", ""):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            im.load_mask(str(tmp_path / name))
