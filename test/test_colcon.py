# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Both packages build with colcon from a clean copy, and their installation works as a ROS user finds it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SEARCH_PATH = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
BUILD_TIMEOUT_S = 600  # takes 20 s on two free cores
TALK = """
import lightmatch_msgs
from ament_index_python.packages import get_package_prefix
from lightmatch_msgs.msg import MatchArray
from lightmatch_msgs.srv import MatchImages
from rclpy.serialization import deserialize_message, serialize_message

sent = MatchArray(features="sift", points0=[1.5, 2.0], track_ids=[2**40])
sent.pair_type = MatchArray.SERVICE
received = deserialize_message(serialize_message(sent), MatchArray)
assert received == sent
assert MatchImages.Response().matches == MatchArray()
print(lightmatch_msgs.__file__)
print(get_package_prefix("lightmatch_ros"))
"""


def call(command, cwd, **variables):
    """Runs a command and returns what it printed; shows that where it fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def sources():
    """Returns the files of the checkout that git tracks or would add: what a clean clone has."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = call(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Builds a clean copy in a workspace; returns the folder install."""
    colcon = shutil.which("colcon", path=SEARCH_PATH)
    if colcon is None:
        pytest.skip("colcon is not installed")
    if shutil.which("c++", path=SEARCH_PATH) is None:
        pytest.skip("no C++ compiler")
    workspace = tmp_path_factory.mktemp("workspace")
    for name in sources():
        (workspace / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, workspace / "src" / name)
    folders = [f"--{kind}-base={workspace / kind}" for kind in ("build", "install")]
    command = [colcon, f"--log-base={workspace / 'log'}", "build", *folders, "--base-paths", ".", "lightmatch_msgs"]
    options = ["-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}"]
    # Without a sourced distribution the wheels' environment takes its place.
    underlay = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
    prefixes = {"AMENT_PREFIX_PATH": underlay, "CMAKE_PREFIX_PATH": os.environ.get("CMAKE_PREFIX_PATH") or underlay}
    call([*command, "--cmake-args", *options], workspace / "src", PATH=SEARCH_PATH, **prefixes)
    return workspace / "install"


def test_messages_of_the_overlay_talk(installed):
    source = f'. "{installed}/setup.bash" && exec "{sys.executable}" -c "$TALK"'
    underlay = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
    printed = call(["bash", "-c", source], installed, TALK=TALK, AMENT_PREFIX_PATH=underlay).splitlines()
    assert Path(printed[0]).is_relative_to(installed / "lightmatch_msgs")
    assert Path(printed[1]) == installed / "lightmatch_ros"


@pytest.mark.parametrize("name", ["lightmatch", "lightmatch_node", "virtual_camera"])
def test_executables_are_where_ros2_run_looks(installed, name):
    script = installed / "lightmatch_ros" / "lib" / "lightmatch_ros" / name
    assert os.access(script, os.X_OK)
    # So that a virtual environment that the user has activated is used.
    assert script.read_text().splitlines()[0] == "#!/usr/bin/env python3"


def test_shared_files_are_installed(installed):
    share = installed / "lightmatch_ros" / "share"
    wanted = [f"launch/{path.name}" for path in (ROOT / "launch").glob("*.launch.py")]
    wanted += [f"config/{path.name}" for path in (ROOT / "config").iterdir()]
    assert [name for name in ["package.xml", *wanted] if not (share / "lightmatch_ros" / name).is_file()] == []
    assert (share / "ament_index" / "resource_index" / "packages" / "lightmatch_ros").is_file()


def test_python_package_is_complete_and_alone(installed):
    packages = next((installed / "lightmatch_ros").glob("lib/python3*/site-packages"))
    folders = [path.name for path in packages.iterdir() if path.is_dir() and not path.name.endswith("-info")]
    assert folders == ["lightmatch_ros"]
    modules = {path.relative_to(packages) for path in (packages / "lightmatch_ros").rglob("*.py")}
    assert modules == {Path(name) for name in sources() if name.startswith("lightmatch_ros/") and name.endswith(".py")}
    weights = {path.name for path in (packages / "lightmatch_ros" / "weights").glob("*") if path.is_file()}
    assert weights == {Path(n).name for n in sources() if n.startswith("lightmatch_ros/weights/")}
    kernels = {path.name for path in (packages / "lightmatch_ros" / "core" / "engine" / "native").glob("*.[ch]*")}
    assert kernels == {
        Path(n).name for n in sources() if n.startswith("lightmatch_ros/core/engine/native/") and n[-2:] != "py"
    }
