# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""lightmatch eval from end to end, on generated photographs, with a small random network."""

import json

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lightmatch_ros.cli.main import main
from lightmatch_ros.core.lightglue import Architecture, LightGlue


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        image = np.zeros((180, 240), np.uint8)
        for _ in range(120):
            x, y, r, v = rng.integers(0, (240, 180, 14, 256))
            cv2.circle(image, (int(x), int(y)), int(r) + 2, int(v), -1, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{i}.png"), image)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = LightGlue(Architecture(128, 32, 2, 2, scale_orientation=True))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()},
        str(path),
        metadata={"features": "sift"},
    )
    return path


def run(*words):
    return main(["eval", *map(str, words)])


def test_homography_with_ratio(photos, weights, tmp_path, capsys):
    out = tmp_path / "new" / "out.json"
    words = ("homography", "--photos", photos, "--all-photos", "--limit", 3, "--peers", "ratio", "--json", out)
    assert run(*words, "--features", "sift", "--weights", weights, "--max-keypoints", 100) == 0
    records = json.loads(out.read_text())
    assert [r["matcher"] for r in records] == [
        "sift + tiny.safetensors", "sift + tiny.safetensors, full depth", "sift + ratio 0.8",
    ]  # fmt: skip
    for record in records:
        assert set(record) == {
            "set", "matcher", "n_pairs", "figures", "groups", "errors", "settings", "version", "seed"
        }  # fmt: skip
        assert record["n_pairs"] == 3 and record["seed"] == 0 and len(record["errors"]) == 3
        assert {"matches", "precision", "recall", "auc@1px", "auc@3px", "auc@5px"} <= set(record["figures"])
        assert record["settings"]["max_keypoints"] == 100
    assert records[0]["settings"]["layers"] == 2 and len(records[0]["settings"]["weights_sha256"]) == 64
    assert {"stop_layer", "kept_ratio", "inliers_kept", "inlier_count"} <= set(records[0]["figures"])
    assert records[1]["settings"]["depth_confidence"] == -1 and records[1]["figures"]["stop_layer"] == 2
    assert records[2]["figures"]["precision"] > 0.3
    output = capsys.readouterr().out
    assert "homography, 3 pairs" in output and "AUC@3px" in output


def test_the_same_seed_gives_the_same_record(photos, weights, tmp_path):
    words = ("homography", "--photos", photos, "--all-photos", "--limit", 2, "--peers", "--features", "sift")
    for name in ("a", "b"):
        assert run(*words, "--weights", weights, "--max-keypoints", 60, "--json", tmp_path / name) == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("homography",), "--photos DIR"),
        (("oxford", "--photos", "."), "--data DIR"),
        (("oxford", "--data", "."), "no folder oxford"),
        (("homography", "--photos", ".", "--limit", "-1"), "got -1"),
    ],
)
def test_what_is_missing_is_said(words, message, capsys):
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_unknown_set(capsys):
    with pytest.raises(SystemExit):
        run("sintel")
    assert "oxford" in capsys.readouterr().err


def test_pairs_of_real_data(shared_data, shared_weights, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    out = tmp_path / "out.json"
    words = ("oxford", "kitti06", "--data", shared_data, "--limit", 1, "--features", "sift", "--weights", weights)
    assert run(*words, "--max-keypoints", 256, "--json", out) == 0
    found = {(r["set"], r["matcher"]): r["figures"] for r in json.loads(out.read_text())}
    assert found["kitti06", "sift + ratio 0.8"]["auc@10deg"] > 0.7
    assert found["kitti06", "xfeat + xfeat-lighterglue-l3"]["precision"] > 0.8
    assert found["oxford", "sift + ratio 0.8"]["precision"] > 0.3
