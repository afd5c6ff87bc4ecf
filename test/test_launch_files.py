# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The launch files. launch is not on PyPI: without a distribution they run against stand-ins that record the calls."""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent


class Recorded:
    """Stands for any action or substitution of launch and keeps what it was made with."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __getattr__(self, name):
        return self.kwargs[name]


class Configuration(Recorded):
    def perform(self, context):
        return context.launch_configurations[self.args[0]]


NAMES = {
    "launch": ["LaunchContext", "LaunchDescription"],
    "launch.actions": ["DeclareLaunchArgument", "IncludeLaunchDescription", "OpaqueFunction"],
    "launch.conditions": ["IfCondition"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": ["PathJoinSubstitution"],
    "launch_ros": [],
    "launch_ros.actions": ["LifecycleNode", "Node"],
    "launch_ros.substitutions": ["FindPackageShare"],
}


@pytest.fixture
def stand_ins(monkeypatch):
    for module, names in NAMES.items():
        made = ModuleType(module)
        vars(made).update({name: type(name, (Recorded,), {}) for name in names})
        monkeypatch.setitem(sys.modules, module, made)
    sys.modules["launch.substitutions"].LaunchConfiguration = Configuration


def described(name):
    entities = runpy.run_path(str(ROOT / "launch" / name))["generate_launch_description"]().args[0]
    declared = {e.args[0]: e for e in entities if type(e).__name__ == "DeclareLaunchArgument"}
    return declared, [e for e in entities if e not in declared.values()]


def launched(name, **arguments):
    """Returns what the launch file's function makes of the arguments; those not given have their defaults."""
    declared, entities = described(name)
    assert set(arguments) <= set(declared)
    values = {name: entity.default_value for name, entity in declared.items()} | arguments
    opaque = next(e for e in entities if type(e).__name__ == "OpaqueFunction")
    (node,) = opaque.function(SimpleNamespace(launch_configurations=values))
    return node


def test_launch_file_is_short():
    assert len((ROOT / "launch" / "lightmatch.launch.py").read_text().splitlines()) <= 80


def test_launch_arguments_are_described(stand_ins):
    declared, _ = described("lightmatch.launch.py")
    assert set(declared) == {
        "params_file", "cameras", "image", "camera_info", "namespace", "use_sim_time", "log_level",
    }  # fmt: skip
    assert all(entity.description for entity in declared.values())


def test_launch_defaults_leave_everything_to_the_parameter_file(stand_ins):
    node = launched("lightmatch.launch.py", params_file="mine.yaml")
    assert type(node).__name__ == "LifecycleNode"
    assert (node.package, node.executable, node.name) == ("lightmatch_ros", "lightmatch_node", "lightmatch")
    assert (node.namespace, node.parameters, node.remappings) == ("", ["mine.yaml"], [])
    assert node.arguments == ["--ros-args", "--log-level", "info"]


def test_launch_default_parameter_file_is_installed(stand_ins):
    declared, _ = described("lightmatch.launch.py")
    share, *parts = declared["params_file"].default_value.args[0]
    assert (share.args, parts) == (("lightmatch_ros",), ["config", "lightmatch.yaml"])


def test_launch_arguments_reach_the_node(stand_ins):
    given = {"cameras": "left, right", "use_sim_time": "true", "namespace": "robot", "log_level": "debug"}
    node = launched("lightmatch.launch.py", **given, image="/l/rgb,/r/rgb", camera_info="/l/info")
    assert node.parameters[1] == {"cameras": ["left", "right"], "use_sim_time": True}
    assert node.namespace == "robot"
    assert node.arguments[-1] == "debug"
    assert node.remappings == [
        ("left/image_raw", "/l/rgb"),
        ("right/image_raw", "/r/rgb"),
        ("left/camera_info", "/l/info"),
    ]


def test_launch_remaps_the_default_camera(stand_ins):
    node = launched("lightmatch.launch.py", image="/usb_cam/image", use_sim_time="false")
    assert node.remappings == [("camera/image_raw", "/usb_cam/image")]
    assert node.parameters[1] == {"use_sim_time": False}


def test_launch_refuses_more_topics_than_cameras(stand_ins):
    with pytest.raises(ValueError, match=r"2 topics for image_raw \(/a,/b\), but cameras are camera"):
        launched("lightmatch.launch.py", image="/a,/b")


def test_demo_launch_starts_camera_matcher_and_rviz(stand_ins):
    declared, entities = described("demo.launch.py")
    assert set(declared) == {"images", "calib", "rviz"}
    assert [type(e).__name__ for e in entities] == ["OpaqueFunction", "IncludeLaunchDescription", "Node"]
    _, include, rviz = entities
    assert include.args[0].args[0].args[0][1:] == ["launch", "lightmatch.launch.py"]
    assert dict(include.launch_arguments) == {"cameras": "camera"}
    assert rviz.condition.args[0].args == ("rviz",)
    assert rviz.arguments[1].args[0][1:] == ["config", "lightmatch.rviz"]


def test_demo_launch_sets_what_is_given_alone(stand_ins):
    assert launched("demo.launch.py").parameters == []
    camera = launched("demo.launch.py", images="/photos")
    assert (camera.executable, camera.parameters) == ("virtual_camera", [{"source": "/photos"}])


@pytest.mark.parametrize("name", ["lightmatch.launch.py", "demo.launch.py"])
def test_launch_accepts_the_files(name):
    """The same with the real launch: every action is made, nothing is started."""
    if importlib.util.find_spec("launch_ros") is None:  # `launch` itself may be found: it is a folder here
        pytest.skip("launch and launch_ros are not installed; they come with a ROS distribution, not from PyPI")
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    context = LaunchContext()
    description = runpy.run_path(str(ROOT / "launch" / name))["generate_launch_description"]()
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            context.launch_configurations[entity.name] = ""
    made = [e.execute(context) for e in description.entities if isinstance(e, OpaqueFunction)]
    assert len(made) == 1
    assert len(made[0]) == 1
