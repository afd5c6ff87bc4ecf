# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sets of pairs, read from small folders made here."""

import cv2
import numpy as np
import pytest

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.evaluation import datasets, photo_pairs
from lightmatch_ros.evaluation.metrics import transform


def write_image(path, seed=0, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4), np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))


def pairs_of(pair_set):
    return [make() for make in pair_set.pairs]


def test_oxford(tmp_path):
    for scene in ("graf", "leuven"):
        for k in range(1, 7):
            write_image(tmp_path / scene / f"{k}.png", k)
            if k > 1:
                np.savetxt(tmp_path / scene / f"H_1_{k}.txt", -2 * np.diag([1, 1, 1]) * k)
    pairs = pairs_of(datasets.oxford(tmp_path))
    assert [(p.group, p.name) for p in pairs[:2]] == [("graf", "1-2"), ("graf", "1-3")]
    assert len(pairs) == 10
    np.testing.assert_allclose(pairs[4].truth.H, np.eye(3))  # scale and sign of the file do not count
    assert pairs[0].picture1.read().shape == (48, 64, 3)
    assert pairs[0].picture0.key == pairs[1].picture0.key != pairs[5].picture0.key


def test_fountain_poses_are_relative_to_image_0(tmp_path):
    K = np.array([[500.0, 0, 32], [0, 500, 24], [0, 0, 1]])
    for i in range(3):
        write_image(tmp_path / f"000{i}.jpg", i)
        np.savetxt(tmp_path / f"000{i}.txt", np.vstack([K, np.eye(3), [-0.5 * i, 0, 0]]))  # the camera moves right
    pairs = pairs_of(datasets.fountain(tmp_path))
    assert [p.name for p in pairs] == ["0000-0001", "0000-0002", "0001-0002"]
    np.testing.assert_allclose(pairs[1].truth.T_1_from_0[:3, 3], [-1, 0, 0])
    np.testing.assert_allclose(pairs[1].truth.K0, K)


def test_kitchen_and_kitti_poses_are_camera_to_world(tmp_path):
    K = np.array([[500.0, 0, 32], [0, 500, 24], [0, 0, 1]])
    kitchen, kitti = tmp_path / "kitchen", tmp_path / "kitti06"
    rows = []
    for i in range(4):
        pose = np.eye(4)
        pose[2, 3] = i  # forward
        rows.append(pose[:3].ravel())
        write_image(kitchen / f"frame-00000{i}.color.png", i)
        write_image(kitti / "image_l" / f"00000{i}.png", i)
        np.savetxt(kitchen / f"frame-00000{i}.pose.txt", pose)
    np.savetxt(kitchen / "camera-intrinsics.txt", K)
    np.savetxt(kitti / "poses.txt", rows)
    np.savetxt(kitti / "calib.txt", [np.column_stack([K, np.zeros(3)]).ravel()] * 2)
    for pair_set in (datasets.kitchen(kitchen, gaps=(1, 2)), datasets.kitti06(kitti, gaps=(1, 2))):
        pairs = pairs_of(pair_set)
        assert [(p.group, p.name) for p in pairs] == [
            ("gap 1", "0-1"), ("gap 1", "1-2"), ("gap 1", "2-3"), ("gap 2", "0-2"), ("gap 2", "1-3"),
        ]  # fmt: skip
        np.testing.assert_allclose(pairs[3].truth.T_1_from_0[:3, 3], [0, 0, -2])  # what was ahead has come nearer
        np.testing.assert_allclose(pairs[0].truth.K1, K)


def test_a_folder_without_pairs_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="fountain"):
        datasets.fountain(tmp_path)
    with pytest.raises(ConfigurationError, match="intrinsics"):
        datasets.kitchen(tmp_path)


def test_limit_spreads_evenly():
    whole = datasets.PairSet("some", [lambda i=i: i for i in range(10)])
    assert [make() for make in whole.limited(4).pairs] == [0, 2, 5, 7]
    assert whole.limited(0) is whole and whole.limited(10) is whole


@pytest.fixture
def photos(tmp_path):
    for i in range(60):
        write_image(tmp_path / f"photo{i:02d}.png", i, (240, 180))
    return tmp_path


def test_held_back_is_a_tenth_by_name(photos):
    held = [p.name for p in sorted(photos.iterdir()) if photo_pairs.held_back(p)]
    assert 2 <= len(held) <= 12
    names = {make().name.split()[1] for make in photo_pairs.homography(photos, 0, 40).pairs}
    assert names == set(held)
    everything = {make().name.split()[1] for make in photo_pairs.homography(photos, 0, 60, every=True).pairs}
    assert len(everything) == 60


def test_no_photographs_are_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match="held-back"):
        photo_pairs.homography(tmp_path, 0)


def test_the_seed_decides_the_pairs_and_the_mix_is_that_of_training(photos):
    first, again, other = (pairs_of(photo_pairs.homography(photos, seed, 20)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[7].picture1.read(), again[7].picture1.read())
    assert not np.array_equal(first[7].truth.H, other[7].truth.H)
    groups = [pair.group for pair in first]
    assert {group: groups.count(group) for group in groups} == {"moderate": 8, "hard": 7, "any": 5}


def test_both_views_show_the_photograph_where_the_homography_says():
    """Smooth pictures without light changes: the value at x0 is the value at H x0, also after quarter turns."""
    blobs = np.random.default_rng(0).integers(0, 256, (9, 12), np.uint8)
    photo = cv2.resize(blobs, (240, 180), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(5)
    checked = 0
    for _ in range(6):
        views = photo_pairs.draw_views(rng, photo, photo, "hard", strength=0.0)
        H = views[1].H @ np.linalg.inv(views[0].H)
        size0, size1 = (view.image.shape[::-1] for view in views)
        points = np.random.default_rng(1).uniform(10, np.array(size0) - 10, (400, 2)).round()
        there = transform(H, points)
        inside = ((there > 2) & (there < np.array(size1) - 3)).all(1)
        seen = [~view.hidden.astype(bool) for view in views]
        for p, q in zip(points[inside].astype(int), there[inside].round().astype(int)):
            if seen[0][p[1], p[0]] and seen[1][q[1], q[0]]:
                checked += 1
                assert abs(int(views[0].image[p[1], p[0]]) - int(views[1].image[q[1], q[0]])) < 40
    assert checked > 100
