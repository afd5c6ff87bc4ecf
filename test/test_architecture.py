# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The direction of imports: cli and ros stand on core, simulation and viz, never the other way round."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lightmatch_ros"
ROS = {"rclpy", "cv_bridge", "tf2_ros", "launch", "launch_ros", "rosbags", "builtin_interfaces", "rcl_interfaces"}
# Each part may import itself and the parts named here.
MAY_IMPORT = {
    "core": set(),
    "viz": {"core"},
    "simulation": {"core"},
    "evaluation": {"core", "simulation"},
    "ros": {"core", "viz", "simulation"},
    "cli": {"core", "viz", "simulation", "evaluation", "ros"},
}
BLOCK_ROS = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ros!r} or name.split(".")[0].endswith("_msgs"):
            raise ImportError("blocked: " + name)

sys.meta_path.insert(0, Blocker())
"""


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_ros(name: str) -> bool:
    top = name.split(".")[0]
    return top in ROS or top.endswith("_msgs")


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_parts_import_only_what_they_stand_on(part):
    for path in (PACKAGE / part).rglob("*.py"):
        for name in imports(path):
            if name.startswith("lightmatch_ros."):
                other = name.split(".")[1]
                assert other == part or other in MAY_IMPORT[part] or other == "__version__", f"{path}: {name}"
            if part in ("core", "viz", "simulation", "evaluation"):
                assert not is_ros(name), f"{path}: {name}"


def test_only_the_conversions_know_cv_bridge():
    users = {path.name for path in PACKAGE.rglob("*.py") if any("cv_bridge" in name for name in imports(path))}
    assert users == {"image_conversions.py"}


def test_core_imports_where_there_is_no_ros():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for part in ("core", "simulation", "viz", "evaluation")
        for path in (PACKAGE / part).rglob("*.py")
    ]
    code = BLOCK_ROS.format(ros=ROS) + "".join(f"import {module}\n" for module in modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_files_stay_short():
    long = {str(p.relative_to(ROOT)): n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long


def test_every_file_has_its_licence():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "test").rglob("*.py")]:
        assert "SPDX-License-Identifier: Apache-2.0" in path.read_text()[:200], path
