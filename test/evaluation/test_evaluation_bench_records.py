# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How records compare, with figures worked out by hand."""

import dataclasses
import json

import pytest

from lightmatch_ros.evaluation.bench.measure import Statistics
from lightmatch_ros.evaluation.bench.picture import draw
from lightmatch_ros.evaluation.bench.records import (
    ADAPTIVE,
    BOTH,
    FULL_DEPTH,
    KEYFRAME,
    Part,
    Record,
    as_json,
    losses,
    with_speedups,
)

ENVIRONMENT = {"device": "cpu", "threads": 1, "processor": "P", "commit": "abc", "malloc": {}, "versions": {}}


def record(name, median_ms, variant=BOTH, peer=False, part=Part.SPEED, keypoints=512):
    statistics = None if median_ms is None else Statistics(median_ms, 1.0, 1.5 * median_ms, 9)
    return Record(part, name, name, peer, variant, "fp32", keypoints, statistics)


def test_speedup_is_the_peers_median_over_ours():
    ours, kornia, slow = with_speedups([record("a", 100), record("kornia", 250, peer=True), record("b", 500)])
    assert ours.speedup == pytest.approx({"kornia": 2.5})
    assert slow.speedup == pytest.approx({"kornia": 0.5})
    assert kornia.speedup == {}


def test_a_variant_is_compared_with_its_own_engine():
    rows = [record("a", 100), record("b", 60), record("a", 80, KEYFRAME), record("peer", 200, peer=True)]
    found = with_speedups(rows)
    assert found[2].speedup == pytest.approx({"peer": 2.5, BOTH: 1.25})
    assert BOTH not in found[0].speedup
    full, less = with_speedups([record("a", 90, FULL_DEPTH), record("a", 45, ADAPTIVE)])
    assert less.speedup == pytest.approx({FULL_DEPTH: 2.0})
    assert full.speedup == {}


def test_losses_are_told():
    rows = with_speedups([record("a", 100), record("kornia", 80, peer=True), record("b", 40)])
    assert losses(rows) == ["a at 512 keypoints (speed) takes 1.25 times as long as kornia"]


def test_nothing_to_compare_without_times():
    assert [r.speedup for r in with_speedups([record("a", None), record("kornia", 80, peer=True)])] == [{}, {}]
    assert record("a", None).p99_ratio is None


def test_a_record_stands_for_itself():
    measured = dataclasses.replace(record("a", 100), gemm_fraction=0.5, peak_mb=7.0, stop_layer=9.0)
    plain = json.loads(json.dumps(as_json(measured, ENVIRONMENT)))
    assert plain["median_ms"] == 100 and plain["iqr_ms"] == 1 and plain["p99_ms"] == 150
    assert plain["p99_ratio"] == pytest.approx(1.5)
    assert (plain["engine"], plain["device"], plain["precision"], plain["keypoints"]) == ("a", "cpu", "fp32", 512)
    assert (plain["gemm_fraction"], plain["peak_mb"], plain["stop_layer"], plain["repetitions"]) == (0.5, 7, 9, 9)
    assert plain["environment"] == ENVIRONMENT
    assert as_json(record("a", None), ENVIRONMENT)["median_ms"] is None


@pytest.mark.parametrize("parts", [[Part.SPEED], [Part.MEMORY], list(Part)])
def test_picture(parts, tmp_path):
    rows = [
        dataclasses.replace(record(name, time_ms, part=part, keypoints=count), peak_mb=3.0)
        for part in parts
        for count in (64, 128)
        for name, time_ms in (("a", count), ("b", None if part is Part.MEMORY else 2.0 * count))
    ]
    path = tmp_path / "new" / "picture.png"
    draw(path, rows, ENVIRONMENT)
    assert path.read_bytes().startswith(b"\x89PNG")
