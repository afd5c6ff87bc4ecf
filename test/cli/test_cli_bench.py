# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""lightmatch bench from end to end, with few points."""

import json

import pytest

from lightmatch_ros.cli.main import main

FIELDS = {
    "part", "name", "engine", "peer", "variant", "device", "precision", "keypoints", "median_ms", "iqr_ms", "p99_ms",
    "p99_ratio", "repetitions", "gemm_gflops", "gemm_fraction", "peak_mb", "stop_layer", "kept_ratio", "build_s",
    "warm_up_s", "compile_s", "compilations", "matches", "agreement", "images", "speedup", "environment",
}  # fmt: skip


def run(*words):
    return main(["bench", "--device", "cpu", *map(str, words)])


def test_speed_beside_kornia(tmp_path, capsys):
    out = tmp_path / "new" / "bench.json"
    words = ("--keypoints", 32, 64, "--engines", "eager", "auto", "--peers", "kornia", "--repetitions", 2)
    assert run(*words, "--parts", "speed", "varying", "--json", out) == 0
    records = json.loads(out.read_text())
    assert all(set(record) == FIELDS for record in records)
    assert len(records) == 2 * (4 + 3)
    assert {record["keypoints"] for record in records} == {32, 64}
    kornia = next(r for r in records if r["engine"] == "kornia")
    ours = next(r for r in records if r["engine"] == "compiled")
    assert ours["speedup"]["kornia"] == pytest.approx(kornia["median_ms"] / ours["median_ms"])
    assert ours["stop_layer"] == kornia["stop_layer"] == 9
    environment = ours["environment"]
    assert {"device", "threads", "malloc", "commit", "versions", "version"} <= set(environment)
    assert "torch" in environment["versions"] and "kornia" in environment["versions"]
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "speed, 32 keypoints" in printed and "varying, 64 keypoints" in printed and "vs kornia" in printed
    assert "p99/ms" in printed


def test_memory_alone(tmp_path, capsys):
    out, png = tmp_path / "memory.json", tmp_path / "other.png"
    words = ("--keypoints", 512, "--engines", "eager", "--peers", "--parts", "memory", "--json", out, "--png", png)
    assert run(*words) == 0
    (record,) = json.loads(out.read_text())
    assert record["peak_mb"] > 1 and record["median_ms"] is None
    assert png.is_file()
    assert "peak MB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--keypoints", 0), "--keypoints: got [0]"),
        (("--repetitions", 0), "--repetitions: got 0"),
        (("--threads", -1), "--threads: got -1"),
        (("--json", "a.png"), "wanted another ending"),
        (("--parts", "adaptive", "--pairs", "no/such/folder"), "no/such/folder"),
    ],
)
def test_what_cannot_be_is_said(words, message, capsys):
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_peer(capsys):
    with pytest.raises(SystemExit):
        run("--peers", "superglue")
    assert "onnxruntime" in capsys.readouterr().err
