# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The scene: rectangles, and a room that is closed around a free middle."""

import numpy as np
import pytest

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.simulation.scene import (
    FREE_HALF_X_M,
    FREE_HALF_Y_M,
    FREE_HIGH_M,
    FREE_LOW_M,
    ROOM_SIZE_M,
    Quad,
    facing,
    room,
)

GREY = np.full((4, 6, 3), 128, np.uint8)


@pytest.fixture(scope="module", params=[0, 1, 5])
def quads(request):
    return room(request.param, texels_per_m=20).quads


def grid_on(quad, count=41):
    """Points all over a quad: (count^2, 3)."""
    a, b = np.meshgrid(np.linspace(0, 1, count), np.linspace(0, 1, count))
    return quad.origin + a.reshape(-1, 1) * quad.u + b.reshape(-1, 1) * quad.v


def test_corners_go_around():
    quad = Quad([1, 2, 3], [2, 0, 0], [0, 4, 0], GREY)
    assert quad.corners.tolist() == [[1, 2, 3], [3, 2, 3], [3, 6, 3], [1, 6, 3]]
    assert quad.forward.tolist() == [0, 0, 1]


def test_a_picture_hangs_upright():
    """Looking along x with z up, right is -y and down is -z (REP 103)."""
    quad = facing((5, 0, 1), (1, 0, 0), (0, 0, 1), (2.0, 1.0), GREY)
    assert quad.origin.tolist() == [5, 1, 1.5]
    assert quad.u.tolist() == [0, -2, 0]
    assert quad.v.tolist() == [0, 0, -1]
    assert quad.forward.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("u", "v", "message"),
    [
        ((1, 0), (0, 1, 0), "quad u: got"),
        ((1, 0, 0), (0, np.nan, 0), "quad v: got"),
        ((0, 0, 0), (0, 1, 0), "wanted two at a right angle"),
        ((1, 0, 0), (0.1, 1, 0), "wanted two at a right angle"),
        ((1, 0, 0), (2, 0, 0), "wanted two at a right angle"),
    ],
)
def test_refuses_what_is_no_rectangle(u, v, message):
    with pytest.raises(ConfigurationError, match=message):
        Quad((0, 0, 0), u, v, GREY)


@pytest.mark.parametrize(
    "picture",
    [GREY[..., 0], GREY[..., :2], GREY.astype(np.float32), GREY[:0], np.zeros((1, 40_000, 3), np.uint8)],
)
def test_refuses_what_is_no_texture(picture):
    with pytest.raises(ConfigurationError, match="quad texture: got"):
        Quad((0, 0, 0), (1, 0, 0), (0, 1, 0), picture)


def test_everything_is_inside_the_room(quads):
    half_x, half_y, height = ROOM_SIZE_M[0] / 2, ROOM_SIZE_M[1] / 2, ROOM_SIZE_M[2]
    corners = np.concatenate([quad.corners for quad in quads])
    low, high = (-half_x, -half_y, 0), (half_x, half_y, height)
    assert (corners >= np.array(low) - 1e-9).all()
    assert (corners <= np.array(high) + 1e-9).all()


def test_the_middle_is_free(quads):
    for quad in quads:
        x, y, z = grid_on(quad).T
        inside = (abs(x) < FREE_HALF_X_M) & (abs(y) < FREE_HALF_Y_M) & (z > FREE_LOW_M) & (z < FREE_HIGH_M)
        assert not inside.any(), quad.corners


def test_there_is_furniture_for_parallax(quads):
    assert len(quads) > 50


def test_the_seed_decides():
    first, again, other = (room(seed, 20).quads for seed in (3, 3, 4))
    assert all(np.array_equal(a.texture, b.texture) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a.corners, b.corners) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].texture, other[0].texture)


def test_textures_have_the_resolution_asked_for(quads):
    for quad in quads:
        sides = [max(8, round(20 * np.linalg.norm(edge))) for edge in (quad.v, quad.u)]
        assert list(quad.texture.shape[:2]) == sides
