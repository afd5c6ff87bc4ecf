# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""lightmatch weights: what it prints and returns."""

import argparse
import io

import pytest
import safetensors.torch
import torch
from rich.console import Console

from lightmatch_ros.cli import weights as command
from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights import ENTRIES, WeightsFile, fetch


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The only directory that is searched, empty."""
    (tmp_path / "weights").mkdir()
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "weights"


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["weights", *words])
    return args.run(args)


def line_of(output, name):
    return next(line for line in output.splitlines() if line.split()[:1] == [name])


def test_list_names_everything_in_80_columns(directory, capsys):
    (directory / "doghardnet_lightglue.pth").write_bytes(bytes(1_500_000))
    assert run("list") == 0
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    for name in ENTRIES:
        assert name in output
    assert "absent" in line_of(output, "aliked_lightglue") and "47.6 MB" in line_of(output, "aliked_lightglue")
    assert line_of(output, "doghardnet_lightglue").split()[2:] == ["1.5", "MB", "Apache-2.0", "LIGHTMATCH_WEIGHTS"]
    assert "non-commercial" in output


def test_fetch_what_is_there(directory, capsys):
    (directory / "doghardnet_lightglue.pth").write_bytes(b"anything: no digest is known")
    assert run("fetch", "doghardnet_lightglue") == 0
    assert str(directory / "doghardnet_lightglue.pth") in capsys.readouterr().out


def test_fetch_what_is_damaged(directory):
    (directory / "xfeat.pt").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="replace or remove"):
        run("fetch", "xfeat")


@pytest.mark.parametrize(
    ("name", "reason"), [("xfeat-lighterglue-l3", "cannot be downloaded"), ("xfaet", "did you mean 'xfeat'")]
)
def test_fetch_what_cannot_be_had(directory, name, reason):
    with pytest.raises(WeightsError, match=reason):
        run("fetch", name)


def test_verify_nothing(directory, capsys):
    assert run("verify") == 0
    assert "sift_lightglue: absent" in capsys.readouterr().out
    assert run("verify", "sift_lightglue") == 1


def test_verify_good_and_damaged(directory, capsys):
    good, damaged = directory / "doghardnet_lightglue.pth", directory / "xfeat.safetensors"
    torch.save({"weight": torch.ones(2)}, good)
    safetensors.torch.save_file({"weight": torch.ones(2)}, damaged)
    assert run("verify", "doghardnet_lightglue") == 0
    assert f"no digest is known: {good}" in capsys.readouterr().out
    assert run("verify") == 1
    output = capsys.readouterr().out
    assert f"{damaged}: sha256" in output and f"no digest is known: {good}" in output


def test_verify_shared_weights(directory, shared_weights, monkeypatch, capsys):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    assert run("verify") == 0
    assert f"digest is right: {shared_weights / 'xfeat.safetensors'}" in capsys.readouterr().out


def test_wrong_command_lines(directory, capsys):
    for words in ((), ("fetch",), ("burn", "xfeat")):
        with pytest.raises(SystemExit):
            run(*words)


def test_progress_is_drawn(tmp_path, monkeypatch):
    """By a download that fails after the bar has appeared."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setenv("no_proxy", "*")
    with command.download_progress(console) as report:
        report(500_000, 1_000_000)
        with pytest.raises(WeightsError):
            fetch(WeightsFile("a.pt", url="http://127.0.0.1:9/a.pt"), tmp_path, progress=report)
    assert "0.5/1.0 MB" in console.file.getvalue()
