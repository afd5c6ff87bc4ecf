# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The demo as a newcomer runs it: three processes, pictures, an honest exit code."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.dds


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    words = (*words, "--threads", "1", "--max-keypoints", "512")  # not to depend on a free machine
    command = [sys.executable, "-m", "lightmatch_ros.cli.main", "demo", *words]
    domain = {"ROS_DOMAIN_ID": str(101 - os.getpid() % 100), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return subprocess.run(command, env={**os.environ, **domain}, capture_output=True, text=True, timeout=240)


def test_room(tmp_path):
    done = demo("--frames", "12", "--rate", "2", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "summary.json").read_text())
    assert report["valid_poses"] >= 3
    assert report["median_rotation_error_deg"] < 1
    assert "summary" in done.stdout
    for name, width in (("matches.png", 1280), ("poses.png", 1100)):
        assert cv2.imread(str(tmp_path / name)).shape[1] == width


def test_pictures_that_cannot_match_end_with_a_failure(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k in range(4):
        cv2.imwrite(str(pictures / f"{k}.png"), np.random.default_rng(k).integers(0, 256, (240, 320), np.uint8))
    done = demo("--images", str(pictures), "--rate", "2", "--out", str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no valid homographies" in done.stdout


def test_a_node_that_cannot_start_is_shown(tmp_path):
    done = demo("--out", str(tmp_path), "--features", "aliked-t16")
    assert done.returncode == 2
    assert "the node ended" in done.stderr
    assert "aliked-t16" in done.stderr
