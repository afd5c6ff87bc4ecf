# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Reading checkpoints good and bad, and filling a module from them."""

import os

import pytest
import safetensors.torch
import torch
from weights_cases import TENSORS, assert_same, entry, put, saved

from lightmatch_ros.core import weights as w
from lightmatch_ros.core.errors import WeightsError


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
