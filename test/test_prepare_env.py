# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""tools/prepare_env.py: it names what is missing, and does nothing where the environment is ready."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "prepare_env.py"
INPUTS = ["constraints.txt", "setup.py", "setup.cfg", "tools", "lightmatch_msgs"]


def loaded(path):
    spec = importlib.util.spec_from_file_location("prepare_env", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool():
    return loaded(TOOL)


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the tool reads, and the tool in it."""
    for name in INPUTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def run_tool(*arguments, interpreter=(), path=None):
    environment = {**os.environ, **({} if path is None else {"PATH": str(path)})}
    command = [sys.executable, *interpreter, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def executable(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


# What is missing


def test_tool_needs_the_standard_library_alone():
    done = run_tool("--help", interpreter=["-I", "-S"])
    assert done.returncode == 0, done.stderr


def test_missing_compiler_is_named_in_one_line(tmp_path):
    done = run_tool("--venv", tmp_path / "venv", path=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "prepare_env: error: no C++ compiler found, looked for c++, g++, clang++; install build-essential"
    ]
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ([], "C++ compiler"),
        (["g++"], "C compiler"),
        (["clang++", "gcc"], "build program"),
        (["c++", "cc", "ninja"], None),
    ],
)
def test_programs(tool, tmp_path, present, missing):
    for name in present:
        executable(tmp_path / name)
    if missing is None:
        return tool.check_programs({"PATH": str(tmp_path)})
    with pytest.raises(tool.PrepareError, match=f"no {missing}".replace("+", r"\+")):
        tool.check_programs({"PATH": str(tmp_path)})


def test_chosen_compiler_is_looked_for(tool, tmp_path):
    for name in ("c++", "cc", "make"):
        executable(tmp_path / name)
    with pytest.raises(tool.PrepareError, match=r"looked for g\+\+-99;"):
        tool.check_programs({"PATH": str(tmp_path), "CXX": "g++-99 -m64"})


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_module_is_named(tool, module):
    with pytest.raises(tool.PrepareError, match=rf"lacks the module {module}; install python3\.\d+-venv"):
        tool.check_modules(lambda name: None if name == module else object())


def test_missing_header_is_named(tool, tmp_path):
    with pytest.raises(tool.PrepareError, match=r"Python\.h is missing; install python3\.\d+-dev"):
        tool.check_modules(lambda name: object(), str(tmp_path))


@pytest.mark.parametrize("version", [(2, 7), (3, 8), (3, 10), (3, 14), (4, 0)])
def test_unsupported_python_is_named(tool, version):
    with pytest.raises(
        tool.PrepareError, match=rf"Python {version[0]}\.{version[1]} is not supported, wanted 3\.11 to"
    ):
        tool.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_python(tool, version):
    tool.check_python(version)


# When there is work to do


def test_ready_environment_is_left_alone(checkout, capsys):
    tool = loaded(checkout / "tools" / "prepare_env.py")
    venv = checkout / ".venv"
    venv.mkdir()
    (venv / "lightmatch_ros.stamp").write_text(tool.stamp(venv))
    assert tool.main([]) == 0
    assert capsys.readouterr().out == ""
    assert [path.name for path in venv.iterdir()] == ["lightmatch_ros.stamp"]


@pytest.mark.parametrize(
    "name", ["constraints.txt", "setup.py", "tools/prepare_env.py", "lightmatch_msgs/msg/Keyframe.msg"]
)
def test_stamp_depends_on_the_inputs(checkout, name):
    tool = loaded(checkout / "tools" / "prepare_env.py")
    before = tool.stamp(checkout / ".venv")
    assert tool.stamp(checkout / ".venv") == before
    with (checkout / name).open("a") as file:
        file.write("# more\n")
    assert tool.stamp(checkout / ".venv") != before


def test_stamp_depends_on_the_place(tool, tmp_path):
    here, there = tool.stamp(tmp_path / "a"), tool.stamp(tmp_path / "b")
    assert here.splitlines()[0] != there.splitlines()[0]
    assert here.splitlines()[1] == there.splitlines()[1]


def test_half_made_environment_is_not_usable(tool, tmp_path):
    packages = tmp_path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    assert not tool.usable(tmp_path)
    executable(tmp_path / "bin" / "python")
    assert not tool.usable(tmp_path)
    (packages / "pip").mkdir(parents=True)
    assert tool.usable(tmp_path)


# The steps


def test_include_paths_are_corrected_once(tool, tmp_path):
    executable(tmp_path / "bin" / "python", "#!/bin/sh\necho /here/python\necho /here/numpy\n")
    build = "/opt/python/cp311-cp311"
    file = tmp_path / "share" / "some_msgs" / "cmake" / "export_some_msgsExport.cmake"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'INCLUDES "${{_PREFIX}}/include;{build}/include/python3.11;'
        f'{build}/lib/python3.11/site-packages/numpy/_core/include"\n'
    )
    tool.correct_include_paths(tmp_path)
    assert file.read_text() == 'INCLUDES "${_PREFIX}/include;/here/python;/here/numpy"\n'
    written = file.stat().st_mtime_ns
    tool.correct_include_paths(tmp_path)
    assert file.stat().st_mtime_ns == written


def test_failed_command_is_named_and_its_output_shown(tool, capsys):
    with pytest.raises(tool.PrepareError, match="exit status 3 from: sh -c"):
        tool.run(["sh", "-c", "echo the cause; exit 3"])
    assert "the cause" in capsys.readouterr().err


def test_foreign_ros_is_kept_out_of_the_steps(tool, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/jazzy/lib/python3.12/site-packages")
    assert "PYTHONPATH" not in tool.run(["env"])
