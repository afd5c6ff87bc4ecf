# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The search for files on this machine."""

from pathlib import Path

import pytest
from weights_cases import entry, put

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError


def test_search_order(places):
    own = entry(w.WeightsFile("a.pt"), w.WeightsFile("a.safetensors"))
    assert w.find(own) is None
    for name, place in (("cache", "cache"), ("second", "LIGHTMATCH_WEIGHTS"), ("first", "LIGHTMATCH_WEIGHTS")):
        path = put(places[name], "a.safetensors")
        assert w.find(own) == w.FoundWeights(path, place)
    preferred = put(places["first"], "a.pt")
    assert w.find(own).path == preferred


def test_bundled_file_comes_first(places, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    own = entry(w.WeightsFile("a.safetensors"), bundled=True)
    put(places["first"], "a.safetensors")
    assert w.find(own).place == "LIGHTMATCH_WEIGHTS"
    path = put(tmp_path / "weights", "a.safetensors")
    assert w.find(own) == w.FoundWeights(path, "bundled")


def test_cache_without_xdg(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somewhere")
    assert w.cache_directory() == Path("/somewhere/.cache/lightmatch")


def test_absent_and_offline_says_what_to_do(places):
    own = entry(w.WeightsFile("a.pt", url="https://example.org/a.pt"))
    with pytest.raises(WeightsError) as caught:
        w.locate(own, download=False)
    for part in ("a.pt", "https://example.org/a.pt", str(places["first"]), str(places["cache"]), "fetch own"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("bundled", "reason"), [(False, "cannot be downloaded"), (True, "part of the package")])
def test_absent_without_address(places, bundled, reason):
    with pytest.raises(WeightsError, match=reason):
        w.locate(entry(w.WeightsFile("nowhere.pt"), bundled=bundled))
