# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The registry, the search for files, downloads from a local server, and reading checkpoints good and bad."""

import contextlib
import hashlib
import http.server
import os
import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights import matcher as matcher_module
from lightmatch_ros.core.weights import registry
from lightmatch_ros.core.weights.matcher import recognise, with_metadata

TENSORS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.zeros(2)}
CONTENT = bytes(range(256)) * 4096  # 1 MiB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty directories in place of the user's: the two of the environment variable, and the cache."""
    directories = {name: tmp_path / name for name in ("first", "second", "cache")}
    for directory in directories.values():
        directory.mkdir()
    listed = os.pathsep.join([str(directories["first"]), "", str(directories["second"])])
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", listed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(directories["cache"]))
    directories["cache"] /= "lightmatch"
    return directories


def entry(*files, name="own", features=("sift",), **details):
    return w.WeightsEntry(name, w.WeightsKind.MATCHER, features, files, "MIT", "https://example.org", **details)


def put(directory, name, content=CONTENT):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    return directory / name


def names(directory):
    return [path.name for path in directory.iterdir()]


# The registry


def test_entries_are_consistent():
    for name, known in w.ENTRIES.items():
        assert known.name == name
        assert known.files and known.licence and known.features
        for file in known.files:
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            assert file.url is None or (file.url.startswith("https://") and file.url.endswith("/" + file.filename))


def test_official_matchers_have_the_settings_of_their_authors():
    """lightglue/lightglue.py of cvg/LightGlue and modules/lighterglue.py of verlab/accelerated_features."""
    for name in ("superpoint", "disk", "aliked", "sift"):
        defaults = w.get_entry(f"{name}_lightglue").defaults
        assert (defaults.depth_confidence, defaults.width_confidence, defaults.scale_coef) == (0.95, 0.99, 1)
    dog = w.get_entry("doghardnet_lightglue").defaults
    assert (dog.depth_confidence, dog.width_confidence, dog.scale_coef) == (-1, -1, 1 / 6)
    lighter = w.get_entry("xfeat-lighterglue").defaults
    assert (lighter.depth_confidence, lighter.width_confidence, lighter.filter_threshold) == (-1, 0.95, 0.1)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(WeightsError, match="did you mean 'xfeat-lighterglue'"):
        w.get_entry("xfeat-lightergleu")


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ("sift", ("lightmatch-sift", "sift_lightglue")),
        ("xfeat", ("xfeat-lighterglue", "xfeat-lighterglue-l3")),
        ("aliked-n16", ("aliked_lightglue",)),
        ("aliked-t16", ()),
        ("orb", ()),
    ],
)
def test_default_matchers(features, wanted):
    assert w.default_matchers(features) == wanted
    assert all(features in w.get_entry(name).features for name in wanted)


def test_filenames_are_distinct_across_entries():
    """A file is recognised by its name; two entries must not share one."""
    names = [name for known in w.ENTRIES.values() for name in known.filenames]
    assert len(names) == len(set(names))


def test_shared_files_are_known(shared_weights):
    known = [file for e in w.ENTRIES.values() for file in e.files]
    for path in sorted(shared_weights.glob("*.safetensors")):
        assert w.verify(path, known), path.name
        assert path.stat().st_size in {f.size_bytes for f in known if f.filename == path.name}


# The search


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


# Downloads


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT under any name; some names misbehave."""

    def do_GET(self):
        if self.path == "/absent.pt":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path != "/no-length.pt":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/hangs.pt":
            self.server.released.wait(10)
            return
        with contextlib.suppress(ConnectionError):
            if self.path == "/drips.pt":
                while not self.server.released.wait(0.02):
                    self.wfile.write(b".")
            self.wfile.write(CONTENT[: 1000 if self.path == "/breaks.pt" else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.released = threading.Event()
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.released.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join(10)


def remote(server, name, sha256=DIGEST):
    return w.WeightsFile(name, sha256, len(CONTENT), f"{server}/{name}")


@pytest.mark.parametrize(("name", "total"), [("a.pt", len(CONTENT)), ("no-length.pt", None)])
def test_download_into_the_cache(server, places, name, total):
    reports = []
    own = entry(remote(server, name))
    found = w.locate(own, progress=lambda *report: reports.append(report))
    assert found == w.FoundWeights(places["cache"] / name, "downloaded")
    assert found.path.read_bytes() == CONTENT
    assert names(places["cache"]) == [name]
    assert reports[-1] == (len(CONTENT), total)
    assert reports == sorted(reports) and len(reports) > 1
    assert w.locate(own).place == "cache"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("breaks.pt", "1000 of 1048576 bytes"), ("absent.pt", "404"), ("hangs.pt", "timed out")],
)
def test_failed_download_leaves_nothing(server, places, name, reason):
    with pytest.raises(WeightsError, match=reason) as caught:
        w.fetch(remote(server, name), places["cache"], timeout_s=0.3)
    assert f"{server}/{name}" in str(caught.value) and str(places["cache"] / name) in str(caught.value)
    assert names(places["cache"]) == []


def test_download_with_wrong_digest_leaves_nothing(server, places):
    with pytest.raises(WeightsError, match=f"{DIGEST}, wanted 0000"):
        w.fetch(remote(server, "a.pt", "0" * 64), places["cache"])
    assert names(places["cache"]) == []


def test_download_has_a_time_limit(server, places):
    with pytest.raises(WeightsError, match="out of time"):
        w.fetch(remote(server, "drips.pt"), places["cache"], limit_s=0.2)
    assert names(places["cache"]) == []


def test_interrupted_download_leaves_nothing(server, places):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        w.fetch(remote(server, "a.pt"), places["cache"], progress=interrupt)
    assert names(places["cache"]) == []


def test_failed_download_keeps_the_old_file(server, places):
    old = put(places["cache"], "breaks.pt", b"old")
    with pytest.raises(WeightsError):
        w.fetch(remote(server, "breaks.pt"), places["cache"])
    assert old.read_bytes() == b"old"


def test_no_server_and_no_directory(server, places, tmp_path, monkeypatch):
    nobody = w.WeightsFile("a.pt", url="http://127.0.0.1:9/a.pt")
    with pytest.raises(WeightsError, match="could not download"):
        w.fetch(nobody, places["cache"])
    with pytest.raises(WeightsError, match="could not download"):
        w.fetch(remote(server, "a.pt"), put(tmp_path, "a-file"))


def test_fetch_without_address(places):
    with pytest.raises(WeightsError, match="no address"):
        w.fetch(w.WeightsFile("a.pt"), places["cache"])


# Reading


def saved(path, content=None):
    content = TENSORS if content is None else content
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path)
    return path


def assert_same(read, wanted):
    assert read.keys() == wanted.keys()
    for key, value in wanted.items():
        torch.testing.assert_close(read[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_reads_what_was_saved(tmp_path, name):
    assert_same(w.load_state_dict(saved(tmp_path / name)), TENSORS)


def test_format_is_told_by_content(tmp_path):
    path = saved(tmp_path / "a.safetensors").rename(tmp_path / "a.pt")
    assert_same(w.load_state_dict(path), TENSORS)


@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_reads_training_checkpoints(tmp_path, key):
    path = saved(tmp_path / "a.pt", {key: TENSORS, "epoch": 3})
    assert_same(w.load_state_dict(path), TENSORS)


def test_only_the_matcher_of_a_pipeline(tmp_path):
    """As in xfeat-lighterglue.pt: extractor.model.net.* beside matcher.*."""
    both = {"extractor.net.weight": torch.ones(1), "matcher.posenc.Wr.weight": torch.zeros(2)}
    read = w.load_state_dict(saved(tmp_path / "a.pt", both))
    assert_same(read, {"posenc.Wr.weight": torch.zeros(2)})


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
@pytest.mark.parametrize("kept", [0, 1, 9, 60, -1])
def test_truncated_files(tmp_path, name, kept):
    path = saved(tmp_path / name)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=str(path)):
        w.load_state_dict(path)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>", b"PK\x03\x04 no archive", b"\x80\x02garbage", b"\x08" + bytes(7) + b"{broken}"]
)
def test_files_that_are_no_checkpoint(tmp_path, content):
    with pytest.raises(WeightsError, match=r"a\.pt is damaged"):
        w.load_state_dict(put(tmp_path, "a.pt", content))


class Evil:
    """Runs code on unpickling."""

    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_no_code_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError):
        w.load_state_dict(saved(tmp_path / "a.pt", {"weight": Evil()}))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.ones(1)], "a list, wanted tensors by name"),
        ({}, "wanted tensors by name"),
        ({"epoch": 3}, "'epoch' is a int"),
        ({3: torch.ones(1)}, "wanted a tensor by name"),
    ],
)
def test_files_of_something_else(tmp_path, content, reason):
    with pytest.raises(WeightsError, match=reason):
        w.load_state_dict(saved(tmp_path / "a.pt", content))


def test_absent_file_and_directory(tmp_path):
    for path in (tmp_path / "absent.pt", tmp_path):
        for read in (w.load_state_dict, w.read_metadata, w.sha256_of):
            with pytest.raises(WeightsError, match="cannot read"):
                read(path)


def test_metadata(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"scale_coef": "0.5"})
    assert w.read_metadata(path) == {"scale_coef": "0.5"}
    assert w.read_metadata(saved(tmp_path / "b.safetensors")) == {}
    assert w.read_metadata(saved(tmp_path / "c.pt")) == {}


def test_digest_is_compared_on_reading(tmp_path):
    path = saved(tmp_path / "a.safetensors")
    right, wrong = w.WeightsFile("a.safetensors", w.sha256_of(path)), w.WeightsFile("a.safetensors", "0" * 64)
    assert_same(w.load_state_dict(path, entry(wrong, right)), TENSORS)
    with pytest.raises(WeightsError, match=f"{w.sha256_of(path)}, wanted {'0' * 64}"):
        w.load_state_dict(path, entry(wrong))
    assert w.verify(path, [right])
    assert not w.verify(path, [w.WeightsFile("b.safetensors", "0" * 64), w.WeightsFile("a.safetensors")])


def test_digest_of_known_bytes(tmp_path):
    """FIPS 180-2, appendix B.1."""
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert w.sha256_of(put(tmp_path, "abc", b"abc")) == wanted


# Filling a module


def test_module_is_filled_exactly():
    module = torch.nn.Linear(3, 2)
    w.load_into(module, {key.removeprefix("layer."): value for key, value in TENSORS.items()})
    torch.testing.assert_close(module.weight.data, TENSORS["layer.weight"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bias": None}, "missing key bias"),
        ({"extra": torch.ones(1)}, "unexpected key extra"),
        ({"bias": torch.ones(3)}, r"bias has shape \(3,\), wanted \(2,\)"),
    ],
)
def test_module_that_does_not_fit_stays_as_it_was(change, reason):
    module = torch.nn.Linear(3, 2)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    tensors = {"weight": torch.ones(2, 3), "bias": torch.ones(2), **change}
    with pytest.raises(WeightsError, match=reason):
        w.load_into(module, {key: value for key, value in tensors.items() if value is not None})
    assert_same(module.state_dict(), before)


def test_only_what_may_be_missing_may_be_missing():
    module = torch.nn.BatchNorm1d(2)
    tensors = {key: value for key, value in module.state_dict().items() if key != "num_batches_tracked"}
    w.load_into(module, tensors, may_be_missing="num_.*")
    del tensors["running_var"]
    with pytest.raises(WeightsError, match=r"missing key running_var$"):
        w.load_into(module, tensors, may_be_missing="num_.*")


def test_many_faults_are_cut():
    with pytest.raises(WeightsError, match="and 3 more"):
        w.load_into(torch.nn.Identity(), {f"key{i}": torch.ones(1) for i in range(8)})


# Choosing the matcher


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
