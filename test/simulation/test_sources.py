# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Sources of frames: order, size, stamps, and what the room's frames are worth for matching."""

from itertools import islice

import cv2
import numpy as np
import pytest

from lightmatch_ros.core.errors import CalibrationError, ConfigurationError, ImageError
from lightmatch_ros.simulation.sources import RoomSource, natural_key, open_source, read_image
from lightmatch_ros.simulation.trajectory import PERIOD_S, Trajectory

BARE = "500 0 40\n0 500 30\n0 0 1\n"


def image(level, size=(80, 60)):
    return np.full((size[1], size[0], 3), level, np.uint8)


@pytest.fixture
def folder(tmp_path):
    for index in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame{index}.color.png"), image(index * 10))
        cv2.imwrite(str(tmp_path / f"frame{index}.depth.png"), image(200))
    (tmp_path / "K.txt").write_text(BARE)
    return tmp_path


@pytest.fixture(scope="module")
def room_source():
    return RoomSource(seed=2)


def levels(source):
    return [int(frame.image[0, 0, 0]) for frame in source]


def test_numbers_sort_by_value():
    names = ["img10.png", "img9.png", "a1b20.png", "a1b3.png", "10.png", "9.png"]
    assert sorted(names, key=natural_key) == ["9.png", "10.png", "a1b3.png", "a1b20.png", "img9.png", "img10.png"]


# Folder


def test_a_folder_gives_its_images_in_order(folder):
    source = open_source(str(folder), rate_hz=10)
    assert levels(source) == [10, 200, 20, 200, 100, 200]
    assert [frame.stamp_s for frame in source] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert source.size == (80, 60)
    assert source.calibration is None


def test_a_pattern_selects(folder):
    source = open_source(f"{folder}/*.color.*", folder / "K.txt")
    assert levels(source) == [10, 20, 100]
    assert levels(source) == [10, 20, 100]  # again from the start
    assert source.calibration.K[0].tolist() == [500, 0, 40]


def test_frames_of_a_folder_know_no_more_than_the_image(folder):
    frame = next(iter(open_source(str(folder))))
    assert frame.depth is None
    assert frame.T_world_from_camera is None


def test_another_size_is_refused(folder):
    cv2.imwrite(str(folder / "frame3.color.png"), image(30, (81, 60)))
    frames = iter(open_source(f"{folder}/*.color.png"))
    assert len(list(islice(frames, 2))) == 2
    with pytest.raises(ImageError, match=r"frame3.color.png: got \(81, 60\) pixels, wanted \(80, 60\)"):
        next(frames)


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_damaged_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=f"got {len(content)} bytes that cannot be decoded"):
        open_source(str(tmp_path))


def test_an_absent_image_is_refused(tmp_path):
    with pytest.raises(ImageError, match="No such file"):
        read_image(tmp_path / "a.png")


def test_grey_and_16_bit_images_become_8_bit_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((10, 12), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((10, 12), 7 * 256, np.uint16))
    for name in ("grey.png", "deep.png"):
        read = read_image(tmp_path / name)
        assert read.dtype == np.uint8
        assert read.shape == (10, 12, 3)
        assert (read == 7).all()


def test_a_calibration_for_another_size_is_refused(folder):
    (folder / "c.yaml").write_text("image_width: 640\nimage_height: 480\n")
    with pytest.raises(CalibrationError, match=r"got image_width, image_height \(640, 480\), wanted \(80, 60\)"):
        open_source(str(folder), folder / "c.yaml")


# What there is not


@pytest.mark.parametrize("name", ["", "rooms", "/no/such/folder", "/no/such/*.png", "/no/such.avi"])
def test_an_unknown_source_is_refused(name):
    with pytest.raises(ConfigurationError, match="wanted 'room', a folder of images or a video file"):
        open_source(name)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    for name in (tmp_path, tmp_path / "*.jpg"):
        with pytest.raises(ConfigurationError, match="without images"):
            open_source(str(name))


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(rate_hz):
    with pytest.raises(ConfigurationError, match="rate: got"):
        open_source("room", rate_hz=rate_hz)


# Video


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (80, 64))
    for level in (20, 120, 220):
        writer.write(image(level, (80, 64)))
    writer.release()
    return path


def test_a_video_gives_its_frames_at_its_own_rate(video):
    source = open_source(str(video), rate_hz=5)
    frames = list(source)
    assert [round(float(frame.image.mean()), -1) for frame in frames] == [20, 120, 220]
    assert [frame.stamp_s for frame in frames] == pytest.approx([0, 0.05, 0.1])
    assert source.size == (80, 64)
    assert source.calibration is None
    assert len(list(source)) == 3  # again from the start


def test_a_damaged_video_is_refused(tmp_path):
    path = tmp_path / "video.avi"
    path.write_bytes(b"RIFF")
    with pytest.raises(ConfigurationError, match="without a frame"):
        open_source(str(path))


# Room


def test_the_room_gives_image_depth_and_motion(room_source):
    first, second = islice(room_source, 2)
    assert first.image.shape == (480, 640, 3)
    assert first.depth.shape == (480, 640)
    assert (first.depth > 0).all()
    assert (first.stamp_s, second.stamp_s) == (0, pytest.approx(1 / 30))
    expected = Trajectory(2).at(1 / 30).T_world_from_camera
    assert second.T_world_from_camera == pytest.approx(expected)


def test_the_end_of_the_room_joins_its_beginning():
    source = RoomSource((32, 24), rate_hz=0.5)
    frames = list(source)
    assert len(frames) == round(0.5 * PERIOD_S)
    assert np.array_equal(frames[0].image, next(iter(source)).image)


def test_the_room_may_have_the_lens_of_a_file(tmp_path):
    (tmp_path / "K.txt").write_text(BARE)
    source = open_source("room", tmp_path / "K.txt", (80, 60))
    assert source.calibration.K[0].tolist() == [500, 0, 40]
    assert next(iter(source)).image.shape == (60, 80, 3)


def test_the_room_has_no_images_without_extent():
    with pytest.raises(CalibrationError, match="image size: got 1x480"):
        RoomSource((1, 480))


@pytest.mark.parametrize("gap", [5, 15])
def test_frames_of_the_room_can_be_matched(room_source, gap):
    """SIFT with the ratio test finds hundreds of matches, nearly all where depth and poses put them."""
    trajectory, K = Trajectory(2), room_source.calibration.K
    render = room_source._renderer.render
    errors_deg = []
    for t in (2.0, 17.0, 33.0, 48.0):
        T0, T1 = (trajectory.at(s).T_world_from_camera for s in (t, t + gap / 30))
        first, second = render(T0), render(T1)
        points0, points1 = sift_matches(first.image, second.image)
        assert len(points0) > 200
        T_1_from_0 = np.linalg.inv(T1) @ T0
        column, row = np.rint(points0).astype(int).T
        space = np.column_stack([points0, np.ones(len(points0))]) @ np.linalg.inv(K).T * first.depth[row, column, None]
        moved = space @ T_1_from_0[:3, :3].T + T_1_from_0[:3, 3]
        error_px = np.linalg.norm((moved / moved[:, 2:] @ K.T)[:, :2] - points1, axis=1)
        assert np.median(error_px) < 0.4
        assert (error_px < 1.5).mean() > 0.8
        difference = essential_rotation(points0, points1, K) @ T_1_from_0[:3, :3].T
        errors_deg.append(np.degrees(np.linalg.norm(cv2.Rodrigues(difference)[0])))
    assert np.median(errors_deg) < 0.5


def sift_matches(image0, image1):
    sift = cv2.SIFT_create(2048)
    (keypoints0, descriptors0), (keypoints1, descriptors1) = (sift.detectAndCompute(i, None) for i in (image0, image1))
    pairs = cv2.BFMatcher().knnMatch(descriptors0, descriptors1, k=2)
    good = [best for best, second in pairs if best.distance < 0.8 * second.distance]
    points0 = np.array([keypoints0[m.queryIdx].pt for m in good])
    points1 = np.array([keypoints1[m.trainIdx].pt for m in good])
    return points0, points1


def essential_rotation(points0, points1, K):
    E, inliers = cv2.findEssentialMat(points0, points1, K, method=cv2.USAC_MAGSAC, prob=0.999, threshold=1.0)
    # The default limit of 50 baselines would throw all points of so short a baseline away.
    return cv2.recoverPose(E, points0, points1, K, distanceThresh=1e5, mask=inliers)[1]
