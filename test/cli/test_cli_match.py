# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import numpy as np
import pytest

from lightmatch_ros.cli.main import main
from lightmatch_ros.core.metrics import direction_error_deg, rotation_error_deg


@pytest.fixture
def xfeat(shared_weights, monkeypatch):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    return ["--features", "xfeat"]


def camera(path) -> tuple[np.ndarray, np.ndarray]:
    """K and world-to-camera (4, 4) of a fountain photograph."""
    rows = np.loadtxt(path)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rows[3:6], rows[6]
    return rows[:3], T


def test_fountain_pair(shared_data, xfeat, tmp_path, capsys):
    folder = shared_data / "fountain"
    K, T_0_from_world = camera(folder / "0004.txt")
    T_1_from_world = camera(folder / "0005.txt")[1]
    np.savetxt(tmp_path / "K.txt", K)
    files = {"--json": tmp_path / "new" / "out.json", "--png": tmp_path / "out.png", "--calib": tmp_path / "K.txt"}
    options = [str(word) for option in files.items() for word in option]
    assert main(["match", str(folder / "0004.jpg"), str(folder / "0005.jpg"), *options, *xfeat]) == 0
    report = json.loads(files["--json"].read_text())
    count = len(report["scores"])
    assert count > 200
    for name, width in (("points0", 768), ("points1", 768)):
        points = np.array(report[name])
        assert points.shape == (count, 2)
        assert (points >= -0.5).all() and (points[:, 0] < width).all() and (points[:, 1] < 512).all()
    assert report["num_keypoints0"] == 1024
    assert report["stop_layer"] == 3
    assert {"extract", "match"} <= set(report["timing_ms"])
    assert report["homography"]["valid"] in (True, False)
    pose = np.array(report["relative_pose"]["T_0_from_1"])
    true = T_0_from_world @ np.linalg.inv(T_1_from_world)
    assert rotation_error_deg(pose, true) < 0.5
    assert direction_error_deg(pose, true) < 2
    assert cv2.imread(str(files["--png"])).shape == (512, 2 * 768, 3)
    assert f"{count} matches of 1024 and 1024 keypoints" in capsys.readouterr().out


def test_nothing_to_match_is_an_answer(xfeat, tmp_path, capsys):
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((64, 64), np.uint8))
    out = tmp_path / "out.json"
    assert main(["match", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--json", str(out), *xfeat]) == 0
    report = json.loads(out.read_text())
    assert report["points0"] == []
    assert report["homography"]["h"] is None
    assert report["stop_layer"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.jpg", "no.jpg"], "no.jpg"),
        (["a.png", "a.png", "--set", "depth=3"], "unknown parameter 'depth'"),
        (["a.png", "a.png", "--set", "depth_confidence=2"], "got 2.0, wanted -1 to 1"),
        (["a.png", "a.png", "--device", "cuda:77"], "'cuda:77' was asked for"),
        (["a.png", "a.png", "--max-keypoints", "0"], "got 0, wanted 1 to 20000"),
        (["a.png", "a.png", "--weights", "no/such.pth"], "no/such.pth"),
    ],
)
def test_errors_are_one_line(words, message, xfeat, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.zeros((64, 64), np.uint8))
    assert main(["match", *words, *xfeat]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
