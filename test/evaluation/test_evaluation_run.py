# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Counting over pairs, with matchers whose answers are known."""

import numpy as np
import pytest
import torch
from rich.console import Console

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.types import Features, Matches
from lightmatch_ros.evaluation import matchers, report
from lightmatch_ros.evaluation.datasets import Pair, PairSet, Picture, PlaneTruth, PoseTruth
from lightmatch_ros.evaluation.matchers import Contestant, FeatureStore, ratio_matcher
from lightmatch_ros.evaluation.run import REPEATS, adaptivity, evaluate, score

SIZE = (200, 100)
GRID = np.stack(np.meshgrid(np.arange(10, 200, 20), np.arange(10, 100, 20)), -1).reshape(-1, 2).astype(np.float32)


def features(points, descriptors=None):
    descriptors = torch.eye(len(points)) if descriptors is None else torch.tensor(descriptors, dtype=torch.float32)
    return Features("sift", SIZE, points, np.ones(len(points), np.float32), descriptors)


def matches(f0, f1, indices0, indices1, stop_layer=0):
    indices0, indices1 = np.array(indices0, np.int64), np.array(indices1, np.int64)
    ones = np.ones(len(indices0), np.float32)
    return Matches(
        f0.keypoints[indices0], f1.keypoints[indices1], ones, indices0, indices1, len(f0), len(f1), stop_layer, 0.5
    )


def plane_pair(H, hidden1=None, name="p", group="g"):
    return Pair(name, group, Picture(name + "0", None), Picture(name + "1", None, hidden1), PlaneTruth(H))


def test_precision_and_recall_of_a_hand_made_pair():
    """50 keypoints, all moved by (7, 0): every second is matched, 5 of them one column off; the rest is right."""
    H = np.array([[1.0, 0, 7], [0, 1, 0], [0, 0, 1]])
    f0, f1 = features(GRID), features(GRID + np.float32([7, 0]))
    indices = np.arange(0, 50, 2)
    outcome = score(plane_pair(H), (f0, f1), matches(f0, f1, indices, np.where(indices < 10, indices + 1, indices)))
    assert (outcome.matches, outcome.correct, outcome.matchable, outcome.recalled) == (25, 20, 50, 20)
    assert len(outcome.errors) == REPEATS and max(outcome.errors) < 0.01
    assert outcome.inliers == {(i, i) for i in range(10, 50, 2)}


def test_keypoints_on_what_covers_the_plane_are_neither_correct_nor_matchable():
    hidden = np.zeros(SIZE[::-1], bool)
    hidden[:, :100] = True
    f = features(GRID)
    outcome = score(plane_pair(np.eye(3), hidden), (f, f), matches(f, f, range(50), range(50)))
    assert (outcome.correct, outcome.matchable, outcome.recalled) == (25, 25, 25)


def test_no_matches_are_an_infinite_error():
    f = features(GRID)
    none = matches(f, f, [], [])
    assert score(plane_pair(np.eye(3)), (f, f), none).errors == (float("inf"),) * REPEATS
    K = np.diag([100.0, 100, 1])
    pair = Pair("p", "g", Picture("a", None), Picture("b", None), PoseTruth(K, K, np.eye(4)))
    outcome = score(pair, (f, f), none)
    assert outcome.errors == (float("inf"),) * REPEATS and outcome.correct == 0


def test_epipolar_precision_with_a_known_motion():
    """Sideways motion: matches in the same row are correct, 5 px off they are not: 2 * (5 / 100)^2 > 5e-4."""
    K = np.diag([100.0, 100, 1])
    T = np.eye(4)
    T[0, 3] = 1
    rng = np.random.default_rng(0)
    f0 = features(GRID)
    points1 = GRID + np.column_stack([rng.uniform(5, 30, 50), np.where(np.arange(50) < 10, 5, 0)]).astype(np.float32)
    f1 = features(points1)
    pair = Pair("p", "g", Picture("a", None), Picture("b", None), PoseTruth(K, K, T))
    outcome = score(pair, (f0, f1), matches(f0, f1, range(50), range(50)))
    assert outcome.correct == 40 and len(outcome.errors) == REPEATS
    right = matches(f0, f1, range(10, 50), range(10, 50))
    assert max(score(pair, (f0, f1), right).errors) < 1


def test_adaptivity_counts_the_full_depths_inliers_that_are_left():
    f = features(GRID)
    full = score(plane_pair(np.eye(3)), (f, f), matches(f, f, range(50), range(50)))
    adaptive = score(plane_pair(np.eye(3)), (f, f), matches(f, f, range(40), range(40)))
    assert adaptivity([adaptive], [full]) == {"inliers_kept": 0.8, "inlier_count": 0.8}
    assert adaptivity([], []) == {"inliers_kept": 0.0, "inlier_count": 0.0}


@pytest.fixture
def records(monkeypatch):
    """Two groups; one contestant adapts (half of the matches), one does not."""
    f = features(GRID)
    monkeypatch.setattr(FeatureStore, "get", lambda *_: f)
    rows = [
        Contestant("adaptive", "sift", lambda a, b: matches(a, b, range(25), range(25), 2), {"x": 1}, True, "full"),
        Contestant("full", "sift", lambda a, b: matches(a, b, range(50), range(50), 5), {}, True),
        Contestant("nothing", "sift", lambda a, b: matches(a, b, [], []), {}),
    ]
    pairs = [lambda i=i: plane_pair(np.eye(3), name=str(i), group="ab"[i > 0]) for i in range(3)]
    return evaluate(PairSet("some", pairs), rows, FeatureStore(MatcherConfig(), torch.device("cpu")))


def test_figures_of_all_pairs_and_of_groups(records):
    adaptive, full, nothing = records
    assert {name: size for name, (size, _) in adaptive.groups.items()} == {"a": 1, "b": 2}
    assert adaptive.figures["stop_layer"] == 2 and full.figures["stop_layer"] == 5
    assert adaptive.figures["kept_ratio"] == 0.5
    assert adaptive.figures["inliers_kept"] == pytest.approx(0.5) and "inliers_kept" not in full.figures
    assert (adaptive.figures["precision"], adaptive.figures["recall"]) == (1, 0.5)
    assert full.figures["auc@1px"] == pytest.approx(1, abs=1e-3) and nothing.figures["auc@5px"] == 0
    assert "stop_layer" not in nothing.figures and nothing.figures["precision"] == 0


def test_table_and_json(records):
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(report.table(records))
    console.print(report.error_table(records))
    console.file.close()
    text = console.export_text()
    assert "some, 3 pairs" in text and "b (2)" in text and "inl. kept" in text and "b/2" in text
    plain = report.as_json(records[2], seed=4)
    assert plain["errors"] == {"a/0": None, "b/1": None, "b/2": None}
    assert plain["seed"] == 4 and plain["n_pairs"] == 3 and plain["set"] == "some"


def test_ratio_matcher_on_three_descriptors():
    """0 is near its match alone, 1 has two near ones, 2 and 3 prefer the same one."""

    def unit(*degrees):
        return [[np.cos(np.radians(d)), np.sin(np.radians(d))] for d in degrees]

    f0 = features(GRID[:4], unit(0, 90, 180, 186))
    f1 = features(GRID[:4], unit(2, 85, 94, 181))
    found = ratio_matcher(0.8)(f0, f1)
    assert list(zip(found.indices0.tolist(), found.indices1.tolist())) == [(0, 0), (2, 3)]
    np.testing.assert_array_equal(found.points1, f1.keypoints[[0, 3]])
    mutual = ratio_matcher(1.0)(f0, f1)
    assert list(zip(mutual.indices0.tolist(), mutual.indices1.tolist())) == [(0, 0), (1, 2), (2, 3)]


@pytest.mark.parametrize("count", [0, 1])
def test_ratio_matcher_needs_two_keypoints(count):
    f = features(GRID[:count])
    assert len(ratio_matcher(0.8)(f, features(GRID))) == len(ratio_matcher(0.8)(features(GRID), f)) == 0


def test_a_picture_is_extracted_once():
    calls = []

    def read():
        calls.append(1)
        return np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8)

    store = FeatureStore(MatcherConfig(features="sift", max_keypoints=30), torch.device("cpu"))
    picture = Picture("one", read)
    first = store.get(picture, "sift")
    assert store.get(picture, "sift") is first and len(calls) == 1 and 0 < len(first) <= 30


def test_unknown_and_absent_peers(tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(matchers, "own_contestants", lambda config: [])
    config = MatcherConfig(features="sift")
    with pytest.raises(ConfigurationError, match="superglue"):
        matchers.peer("superglue", config)
    rows, missing = matchers.contestants(config, ["ratio", matchers.XFEAT_PEER])
    assert [row.name for row in rows] == ["sift + ratio 0.8"]
    assert len(missing) == 1 and "left out" in missing[0]
