# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from lightmatch_ros.viz.matches import OUTLIER_BGR, draw_matches, place_colours
from lightmatch_ros.viz.poses import plot_poses

LEFT, RIGHT = np.full((60, 80), 10, np.uint8), np.full((90, 50, 3), 20, np.uint8)


def test_images_of_any_two_sizes_side_by_side():
    nothing = np.zeros((0, 2), np.float32)
    picture = draw_matches(LEFT, RIGHT, nothing, nothing, np.zeros(0, bool))
    assert picture.shape == (90, 130, 3)
    assert (picture[:60, :80] == 10).all()
    assert (picture[60:, :80] == 0).all()
    assert (picture[:, 80:] == 20).all()


def test_lines_run_between_the_points():
    points0, points1 = np.array([[10, 30], [40, 50]], np.float32), np.array([[20, 30], [30, 80]], np.float32)
    picture = draw_matches(LEFT, RIGHT, points0, points1, np.array([True, False]))
    assert (picture[30, 10:100] != [10, 10, 10]).any(axis=1).all()
    middle = picture[65, 75]
    assert np.abs(middle.astype(int) - OUTLIER_BGR).max() < 80


def test_arguments_stay_as_they_were():
    draw_matches(LEFT, RIGHT, np.ones((5, 2), np.float32), np.ones((5, 2), np.float32), np.ones(5, bool), ["text"])
    assert (LEFT == 10).all()
    assert (RIGHT == 20).all()


def test_colours_tell_places_apart():
    colours = place_colours(np.array([[0, 0], [79, 0], [0, 59]], np.float32), 80, 60)
    assert len({tuple(colour) for colour in colours.tolist()}) == 3


def test_pose_picture_takes_unknown_poses(tmp_path):
    poses = np.stack([np.eye(4), np.full((4, 4), np.nan)])
    plot_poses(tmp_path / "new" / "poses.png", [1, 2], poses, np.stack([np.eye(4)] * 2))
    assert (tmp_path / "new" / "poses.png").stat().st_size > 1000
