# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What colcon and pip read: manifests, versions, dependencies, entry points."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lightmatch_ros

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = [ROOT / "package.xml", ROOT / "lightmatch_msgs" / "package.xml"]
ROS_PACKAGE = re.compile(r"_(msgs|srvs|interfaces)$|^(rclpy|cv_bridge|tf2_ros|launch.*)$")


def manifest(path):
    package = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg, which reads package.xml, is not installed")
    warnings = []
    parsed = package.parse_package(str(path), warnings=warnings)
    assert warnings == []
    return parsed


def setup_says(*arguments):
    command = [sys.executable, "setup.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_manifest_is_valid(path):
    parsed = manifest(path)
    assert (parsed.package_format, parsed.licenses) == (3, ["Apache-2.0"])


def test_versions_agree():
    versions = {path.parent.name: manifest(path).version for path in MANIFESTS}
    assert set(versions.values()) == {lightmatch_ros.__version__}
    assert setup_says("--version") == lightmatch_ros.__version__


def test_build_types():
    types = [[e.content for e in manifest(p).exports if e.tagname == "build_type"] for p in MANIFESTS]
    assert types == [["ament_python"], ["ament_cmake"]]


def imported():
    """Returns the top modules that the package imports, other than the standard library and itself."""
    found = set()
    for path in (ROOT / "lightmatch_ros").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {name.split(".")[0] for name in names}
    return found - set(sys.stdlib_module_names) - {"lightmatch_ros"}


def extras():
    """Returns the names in the extras of setup.py, without versions."""
    (wanted,) = re.findall(r"^EXTRAS = (\{.*?^\})", (ROOT / "setup.py").read_text(), re.MULTILINE | re.DOTALL)
    lists = ast.literal_eval(wanted).values()
    return {re.split(r"[<>=\[;]", requirement)[0] for names in lists for requirement in names}


def test_manifest_names_every_ros_package_that_is_imported():
    ros = {name for name in imported() if ROS_PACKAGE.search(name)}
    assert ros <= {dependency.name for dependency in manifest(ROOT / "package.xml").exec_depends}


def test_extras_name_everything_that_is_imported():
    needed = imported() - {"lightmatch_msgs", "cv_bridge", "tf2_ros"}  # built here; only with a distribution
    named = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
    projects = {f"ros-{n.replace('_', '-')}" if ROS_PACKAGE.search(n) else named.get(n, n) for n in needed}
    assert projects <= extras()


def test_constraints_pin_every_extra():
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert {name.replace("_", "-") for name in extras()} <= set(pinned)


def test_python_packages_are_the_product_alone(tmp_path):
    listing = (
        "from setuptools import find_packages; print(find_packages(include=['lightmatch_ros', 'lightmatch_ros.*']))"
    )
    command = [sys.executable, "-c", listing]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    packages = set(ast.literal_eval(found.stdout))
    folders = {p.parent for p in (ROOT / "lightmatch_ros").rglob("*.py")}
    assert packages == {".".join(folder.relative_to(ROOT).parts) for folder in folders}


def entry_points():
    text = (ROOT / "setup.py").read_text().replace("{NAME}", "lightmatch_ros")
    return dict(re.findall(r'"(\w+) = ([\w.]+:\w+)"', text))


def test_entry_points_have_the_agreed_names():
    assert set(entry_points()) == {"lightmatch", "lightmatch_node", "virtual_camera"}


@pytest.mark.parametrize("name", sorted(entry_points()))
def test_entry_point_resolves(name):
    module, function = entry_points()[name].split(":")
    if not (ROOT / Path(*module.split("."))).with_suffix(".py").is_file():
        pytest.skip(f"{module} is not written yet")
    if ".ros." in module and importlib.util.find_spec("rclpy") is None:
        pytest.skip("rclpy is not installed")
    assert callable(getattr(importlib.import_module(module), function))
