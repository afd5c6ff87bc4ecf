# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Tuning: measured once, remembered by machine and model, the user's choice respected."""

import json
import time

import engine_scenes as scenes
import pytest
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.engine import Precision, Tuning, cache, tune, untuned
from lightmatch_ros.core.engine import tuning as module
from lightmatch_ros.core.matcher import create_matcher

CPU = torch.device("cpu")


@pytest.fixture
def network(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return scenes.sharp_network(scenes.ARCHITECTURES["one layer"])


def remembered() -> list:
    return sorted(cache.cache_folder().glob("tuning-*.json"))


def test_is_measured_once(network, monkeypatch):
    found = tune(network, CPU, None, 64)
    assert found.precision in Precision and found.min_points >= 0
    assert len(remembered()) == 1
    monkeypatch.setattr(module, "_measure", None)  # to be called no more
    assert tune(network, CPU, None, 64) == found


def test_what_is_remembered_counts(network):
    tune(network, CPU, None, 64)
    (path,) = remembered()
    path.write_text(json.dumps({"precision": "fp32", "min_points": 77}))
    assert tune(network, CPU, None, 64) == Tuning(Precision.FP32, 77)


@pytest.mark.parametrize("broken", ["", "{}", '{"precision": "fp7", "min_points": 0}', "[1"])
def test_a_broken_file_is_measured_anew(network, broken):
    tune(network, CPU, None, 64)
    (path,) = remembered()
    path.write_text(broken)
    assert tune(network, CPU, None, 64).precision in Precision
    assert json.loads(path.read_text()).keys() == {"precision", "min_points"}


def test_another_model_or_wish_is_another_file(network):
    tune(network, CPU, None, 64)
    tune(network, CPU, Precision.FP32, 64)
    tune(network, CPU, None, 128)
    tune(scenes.sharp_network(scenes.ARCHITECTURES["odd heads"]), CPU, None, 64)
    assert len(remembered()) == 4


def test_the_user_s_precision_wins(network):
    for precision in Precision:
        assert tune(network, CPU, precision, 64).precision is precision
        assert untuned(CPU, precision) == Tuning(precision, 0)


def test_a_folder_that_cannot_be_written_is_no_error(network, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert tune(network, CPU, None, 64).precision in Precision


def test_the_fastest_is_found():
    waits = {Precision.FP32: 0.004, Precision.BF16: 0.001}
    assert module.fastest({p: lambda s=s: time.sleep(s) for p, s in waits.items()}) is Precision.BF16


def test_the_matcher_tunes_only_where_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    create_matcher(MatcherConfig(tune=False), CPU)
    create_matcher(MatcherConfig(engine="eager"), CPU)
    assert not remembered()
    matcher = create_matcher(MatcherConfig(precision="fp32", max_keypoints=64), CPU)
    assert matcher.engine.precision is Precision.FP32 and len(remembered()) == 1
