# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which weights the matcher gets, by name, by path or by themselves."""

import pytest
import safetensors.torch
from weights_cases import TENSORS, assert_same, entry, put, saved

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights import matcher as matcher_module
from lightmatch_ros.core.weights import registry
from lightmatch_ros.core.weights.matcher import recognise, with_metadata


@pytest.fixture
def own_registry(monkeypatch, places):
    """Three matchers for sift, the second of which can be downloaded, one for xfeat, and an extractor."""
    entries = [
        entry(w.WeightsFile("best.safetensors"), name="best"),
        entry(w.WeightsFile("remote.safetensors", url="http://127.0.0.1:9/r"), name="remote"),
        entry(w.WeightsFile("last.safetensors"), name="last", defaults=w.MatcherDefaults(width_confidence=0.5)),
        entry(w.WeightsFile("other.safetensors"), name="other", features=("xfeat",)),
        w.WeightsEntry("xfeat", w.WeightsKind.EXTRACTOR, ("xfeat",), (w.WeightsFile("x.pt"),), "MIT", ""),
    ]
    table = {e.name: e for e in entries}
    monkeypatch.setattr(registry, "ENTRIES", table)
    monkeypatch.setattr(matcher_module, "ENTRIES", table)
    monkeypatch.setattr(registry, "_DEFAULT_MATCHERS", {"sift": ("best", "remote", "last"), "xfeat": ("other",)})
    return places


def test_auto_takes_the_first_on_this_machine(own_registry):
    assert w.choose_default("sift").name == "remote"
    for name in ("last", "best"):
        saved(own_registry["first"] / f"{name}.safetensors")
        assert w.choose_default("sift").name == name
        loaded = w.load_matcher("auto", "sift", download=False)
        assert (loaded.name, loaded.path) == (name, own_registry["first"] / f"{name}.safetensors")
        assert_same(loaded.tensors, TENSORS)


def test_auto_without_any(own_registry):
    with pytest.raises(WeightsError, match=r"http://127.0.0.1:9/r"):
        w.load_matcher("auto", "sift", download=False)
    with pytest.raises(WeightsError, match="cannot be downloaded"):
        w.load_matcher("auto", "xfeat")
    with pytest.raises(WeightsError, match="no LightGlue weights are known for orb"):
        w.load_matcher("auto", "orb")


def test_named_weights(own_registry):
    saved(own_registry["second"] / "last.safetensors")
    assert w.load_matcher("last", "sift").defaults == w.MatcherDefaults(width_confidence=0.5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other", "for the features xfeat, wanted sift"),
        ("xfeat", "an extractor's weights"),
        ("bets", "did you mean 'best'"),
        ("absent/file.pt", "no such checkpoint file"),
    ],
)
def test_weights_that_do_not_serve(own_registry, name, reason):
    with pytest.raises(WeightsError, match=reason):
        w.load_matcher(name, "sift")


def test_own_file_with_metadata(own_registry, tmp_path):
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"features": "sift", "scale_encoding": "log2", "scale_coef": "0.25"})
    loaded = w.load_matcher(str(path), "sift")
    assert loaded.name == "mine.safetensors"
    assert loaded.defaults == w.MatcherDefaults(scale_encoding="log2", scale_coef=0.25)
    with pytest.raises(WeightsError, match="for the features sift, wanted xfeat"):
        w.load_matcher(str(path), "xfeat")


def test_known_file_under_a_path_keeps_its_settings(own_registry, tmp_path):
    assert w.load_matcher(str(saved(tmp_path / "last.safetensors")), "sift").defaults.width_confidence == 0.5


def test_metadata_that_is_no_number():
    with pytest.raises(WeightsError, match="scale_coef: got 'half'"):
        with_metadata(w.MatcherDefaults(), {"scale_coef": "half"})


def test_file_with_a_known_name_and_other_content_is_not_recognised(tmp_path):
    assert recognise(put(tmp_path, "sift_lightglue.pth")) is None
    assert recognise(put(tmp_path, "doghardnet_lightglue.pth")).name == "doghardnet_lightglue"
    assert recognise(put(tmp_path, "anything.pth")) is None


def test_shared_matcher_loads_by_name_and_by_path(shared_weights, monkeypatch):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    path = shared_weights / "xfeat-lighterglue-l3.safetensors"
    for asked in ("xfeat-lighterglue-l3", str(path)):
        loaded = w.load_matcher(asked, "xfeat", download=False)
        assert (loaded.name, loaded.path) == ("xfeat-lighterglue-l3", path)
        assert (loaded.defaults.depth_confidence, loaded.defaults.width_confidence) == (-1, -1)
        assert loaded.tensors["log_assignment.2.final_proj.weight"].shape == (96, 96)
