# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What colcon, pip and launch read: manifests, versions, entry points, messages, launch files, layouts."""

import ast
import importlib
import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

import lightmatch_ros

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = [ROOT / "package.xml", ROOT / "lightmatch_msgs" / "package.xml"]
INTERFACES = sorted((ROOT / "lightmatch_msgs").glob("*/*.*"))
PAIR = (
    "std_msgs/Header header|std_msgs/Header reference_header|uint8 pair_type|string camera|string reference_camera|"
    "uint64 frame_id|uint64 reference_frame_id|"
)
# The interface as agreed; a change here is a change that users notice.
FIELDS = {
    "MatchArray": PAIR + "uint32 width|uint32 height|uint32 reference_width|uint32 reference_height|string features|"
    "uint32 num_keypoints|uint32 reference_num_keypoints|float32[] points0|float32[] points1|float32[] scores|"
    "uint32[] indices0|uint32[] indices1|uint64[] track_ids|uint16[] track_ages|uint8[] inliers|uint8 stop_layer|"
    "float32 kept_ratio",
    "Homography": PAIR + "bool valid|string reason|float64[9] h|uint32 num_inliers|uint32 num_matches|float32 rms_px|"
    "float32 overlap",
    "RelativePose": PAIR + "bool valid|string reason|bool metric|uint8 model|geometry_msgs/PoseWithCovariance pose|"
    "bool covariance_valid|float64[9] essential|uint32 num_matches|uint32 inliers_e|uint32 inliers_h|float32 ratio_h|"
    "float32 median_parallax_deg|float32 rms_px",
    "Keyframe": "std_msgs/Header header|string camera|uint64 frame_id|string reason|uint32 cache_count|"
    "uint64 cache_bytes|uint64[] evicted_ids",
    "MatcherStatus": "std_msgs/Header header|string state|string device|string precision|bool compiled|"
    "float32 queue_ms|float32 extract_ms|float32 match_ms|float32 geometry_ms|float32 publish_ms|float32 total_ms|"
    "float32 age_ms|uint64 received|uint64 processed|uint64 dropped|uint64 failed|uint32 matches|uint32 inliers|"
    "uint8 stop_layer|float32 kept_ratio|float32 memory_mb",
    "MatchImages": "sensor_msgs/Image image0|sensor_msgs/Image image1|sensor_msgs/CameraInfo camera_info0|"
    "sensor_msgs/CameraInfo camera_info1|bool success|string message|MatchArray matches|Homography homography|"
    "RelativePose relative_pose",
}
PAIR_TYPES = {"KEYFRAME": 0, "PREVIOUS": 1, "STEREO": 2, "LOOP": 3, "SERVICE": 4}
MODELS = {"MODEL_NONE": 0, "MODEL_ESSENTIAL": 1, "MODEL_HOMOGRAPHY": 2, "MODEL_PNP": 3}
INLIER_BITS = {"INLIER_SELECTED": 1, "INLIER_ESSENTIAL": 2, "INLIER_HOMOGRAPHY": 4}
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


# Manifests


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
    return {re.split(r"[<>=\[]", requirement)[0] for names in lists for requirement in names}


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


# Entry points


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


# Messages


def declarations(path):
    """Yields (line, whether a comment belongs to it): a comment behind it, or right above it or its neighbours."""
    commented = False
    for line in path.read_text().splitlines():
        text, _, comment = line.partition("#")
        if text.strip() == "---" or not line.strip():
            commented = False
        elif not text.strip():
            commented = commented or bool(comment.strip("# "))
        else:
            yield text.strip(), commented or bool(comment.strip())


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_field_and_constant_has_a_comment(path):
    assert [text for text, commented in declarations(path) if not commented] == []


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_fields_are_the_agreed_ones(path):
    assert "|".join(text for text, _ in declarations(path) if "=" not in text) == FIELDS[path.stem]


def test_all_interfaces_are_there_and_built():
    assert {path.stem for path in INTERFACES} == set(FIELDS)
    built = re.findall(r'"((?:msg|srv)/\w+\.\w+)"', (ROOT / "lightmatch_msgs" / "CMakeLists.txt").read_text())
    assert sorted(built) == [f"{path.parent.name}/{path.name}" for path in INTERFACES]


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("MatchArray", {**PAIR_TYPES, **INLIER_BITS}),
        ("Homography", PAIR_TYPES),
        ("RelativePose", {**PAIR_TYPES, **MODELS}),
    ],
)
def test_constants(name, constants):
    text = (ROOT / "lightmatch_msgs" / "msg" / f"{name}.msg").read_text()
    assert {k: int(v) for k, v in re.findall(r"^uint8 (\w+)=(\d+)", text, re.MULTILINE)} == constants


# Launch files. launch is not on PyPI: without a distribution they run against stand-ins that record the calls.


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


# Layouts


def topics_in(value):
    """Yields every string in a parsed file that looks like a topic."""
    if isinstance(value, str) and value.startswith("/"):
        yield value.split(".")[0]
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from topics_in(part)


OUTPUTS = ["matches", "homography", "relative_pose", "pose", "keyframe", "match_image"]
TOPICS = {f"/lightmatch/camera/{name}" for name in OUTPUTS} | {
    "/lightmatch/status",
    "/diagnostics",
    "/camera/image_raw",
}


def test_rviz_layout_shows_topics_of_the_node():
    layout = yaml.safe_load((ROOT / "config" / "lightmatch.rviz").read_text())
    topics = set(topics_in(layout["Visualization Manager"]))
    assert "/lightmatch/camera/match_image" in topics
    assert topics <= TOPICS


def test_foxglove_layout_shows_topics_and_fields_of_the_node():
    layout = json.loads((ROOT / "config" / "lightmatch_foxglove.json").read_text())
    assert set(topics_in(layout["configById"])) <= TOPICS
    types = {"/lightmatch/status": "MatcherStatus", "/lightmatch/camera/relative_pose": "RelativePose"}
    paths = re.findall(r'"value": "([^".]+)\.(\w+)"', json.dumps(layout))
    assert paths
    for topic, field in paths:
        assert f" {field}|" in FIELDS[types[topic]] + "|"


def test_foxglove_layout_places_every_panel():
    layout = json.loads((ROOT / "config" / "lightmatch_foxglove.json").read_text())
    placed = re.findall(r'"(?:first|second)": "([^"]+)"', json.dumps(layout["layout"]))
    assert sorted(placed) == sorted(layout["configById"])
