# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from lightmatch_ros.evaluation import homographies
from lightmatch_ros.evaluation.homographies import EASY, HARD, SMALL, Pose
from training import views
from training.features import extract


@pytest.fixture(scope="module")
def photo():
    """Blobs of all sizes: SIFT finds plenty."""
    rng = np.random.default_rng(0)
    image = np.full((240, 320), 128, np.uint8)
    for _ in range(250):
        centre = tuple(int(v) for v in rng.uniform(0, 1, 2) * (320, 240))
        cv2.circle(image, centre, int(rng.integers(2, 14)), int(rng.integers(0, 255)), -1, cv2.LINE_AA)
    return image


def project(P, world):
    x = np.column_stack([world, np.ones(len(world))]) @ P.T
    return x[:, :2] / x[:, 2:]


@pytest.mark.parametrize("limits", [EASY, HARD, SMALL])
def test_poses_stay_within_their_range(limits):
    rng = np.random.default_rng(1)
    snug = homographies.snug_zoom((320, 240), (480, 360))
    poses = [homographies.sample_pose(rng, limits, (320, 240), (480, 360)) for _ in range(300)]
    rotation = np.rad2deg([p.rotation_rad for p in poses])
    zoom = np.log2([p.zoom / snug for p in poses])
    tilt = np.rad2deg([np.hypot(p.tilt_x, p.tilt_y) for p in poses])
    for values, limit in ((rotation, limits.max_rotation_deg), (zoom, limits.max_log2_zoom)):
        assert 0.9 * limit < np.abs(values).max() <= limit
    assert 0.9 * limits.max_tilt_deg < tilt.max() <= limits.max_tilt_deg + 1e-9


def test_two_hard_views_reach_the_scales_asked_for():
    assert 2 ** (2 * HARD.max_log2_zoom) == pytest.approx(2.5, rel=0.02)


def test_projection_of_an_upright_pose_scales_about_the_centre():
    P = homographies.projection(Pose(0.0, 2.0, 0.0, 0.0, (10.0, 20.0)), (101, 81), 70.0)
    np.testing.assert_allclose(project(P, [[10, 20, 0], [11, 20, 0], [10, 18, 0]]), [[50, 40], [52, 40], [50, 36]])


def test_rotation_turns_the_picture_clockwise():
    P = homographies.projection(Pose(np.pi / 2, 1.0, 0.0, 0.0, (0.0, 0.0)), (1, 1), 50.0)
    np.testing.assert_allclose(project(P, [[3.0, 0, 0]]), [[0, 3]], atol=1e-9)  # right becomes down


def test_hard_views_never_see_the_horizon():
    rng = np.random.default_rng(2)
    for _ in range(200):
        pose = homographies.sample_pose(rng, HARD, (320, 240), (480, 360))
        P = homographies.sample_projection(rng, pose, (480, 360))
        assert homographies.in_front(P, (480, 360))


def test_warp_agrees_with_opencv_at_the_same_size(photo):
    H = np.array([[1.02, 0.05, -3.0], [-0.04, 0.98, 5.0], [1e-5, 2e-5, 1.0]])
    expected = cv2.warpPerspective(photo, H, (320, 240), borderMode=cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(homographies.warp(photo, H, (320, 240)), expected)


def test_warp_that_shrinks_averages():
    stripes = np.zeros((200, 200), np.uint8)
    stripes[:, ::2] = 200  # beyond the resolution of the view
    shrunk = homographies.warp(stripes, np.diag([0.25, 0.25, 1.0]), (50, 50))
    assert np.abs(shrunk[5:-5, 5:-5].astype(int) - 100).max() < 25


def test_features_of_a_pool_lie_where_their_world_points_project(photo):
    pool = views.photo_pool(np.random.default_rng(3), photo, [photo[::-1].copy()], 6, 100)
    assert {v.kind for v in pool} == {views.Kind.EASY, views.Kind.SMALL, views.Kind.HARD}
    for view in pool:
        known = ~np.isnan(view.world[:, 0])
        assert known.sum() > 20
        error = project(view.P, view.world[known].astype(float)) - view.geometry[known, :2]
        assert np.abs(error).max() < 1e-2


def test_features_on_a_pasted_picture_have_no_world_point(photo):
    P = homographies.projection(Pose(0.0, 1.0, 0.0, 0.0, (159.5, 119.5)), (320, 240), 300.0)
    rng = np.random.default_rng(5)
    view = views.photo_view(rng, photo, P, (320, 240), 0.0, photo[:, ::-1].copy(), views.Kind.HARD, 300)
    hidden = np.isnan(view.world[:, 0])
    assert 0 < hidden.sum() < len(hidden)


def test_scene_views_show_the_same_points(photo):
    photos = [np.roll(photo, 13 * i, 1) for i in range(24)]
    pool = views.scene_pool(np.random.default_rng(4), photos, 2, 200)
    for view in pool:
        known = ~np.isnan(view.world[:, 0])
        assert known.mean() > 0.7
        error = project(view.P, view.world[known].astype(float)) - view.geometry[known, :2]
        assert np.abs(error).max() < 1e-2
        assert np.ptp(view.world[known, 2]) > 1.0  # metres: not one plane


def test_pool_survives_the_disk(photo, tmp_path):
    pool = views.photo_pool(np.random.default_rng(3), photo, [photo], 2, 50)
    views.save_pool(tmp_path / "a.npz", pool, 50)
    with np.load(tmp_path / "a.npz") as read:
        n = len(pool[1].geometry)
        assert read["count"].tolist() == [len(v.geometry) for v in pool]
        np.testing.assert_array_equal(read["descriptors"][1, :n], pool[1].descriptors)
        np.testing.assert_array_equal(read["world"][1, :n], pool[1].world)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_image_without_structure_has_no_features():
    features = extract(np.full((64, 64), 90, np.uint8), 10)
    assert features.geometry.shape == (0, 4)
    assert features.descriptors.shape == (0, 128)
