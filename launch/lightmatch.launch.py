# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Starts the node lightmatch; it configures and activates itself unless its parameter autostart is false.

ros2 launch lightmatch_ros lightmatch.launch.py cameras:=left,right image:=/left/image_mono,/right/image_mono
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.substitutions import FindPackageShare

PARAMS_FILE = PathJoinSubstitution([FindPackageShare("lightmatch_ros"), "config", "lightmatch.yaml"])
# What is left empty is not set, so the value in params_file stands.
ARGUMENTS = (
    ("params_file", PARAMS_FILE, "YAML file with the node's parameters"),
    ("cameras", "", "names of the cameras, separated by commas; empty = as in params_file"),
    ("image", "", "image topic of each camera, separated by commas; empty = <camera>/image_raw"),
    ("camera_info", "", "CameraInfo topic of each camera, likewise; empty = <camera>/camera_info"),
    ("namespace", "", "namespace of the node"),
    ("use_sim_time", "", "true = take the time from /clock; empty = as in params_file"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
)


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments and, once their values are known, the node."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text) for name, default, text in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])


def nodes(context: LaunchContext) -> list[LifecycleNode]:
    """Returns the node with the values of the arguments."""
    values = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    cameras = split(values["cameras"])
    given: dict[str, bool | list[str]] = {"cameras": cameras} if cameras else {}
    if values["use_sim_time"]:
        given["use_sim_time"] = values["use_sim_time"].lower() in ("true", "1")
    # Without the argument, remappings go by the parameter's default, one camera of the name "camera".
    names = cameras or ["camera"]
    remappings = remapped(names, "image_raw", values["image"]) + remapped(names, "camera_info", values["camera_info"])
    node = LifecycleNode(
        package="lightmatch_ros",
        executable="lightmatch_node",
        name="lightmatch",
        namespace=values["namespace"],
        parameters=[values["params_file"], *([given] if given else [])],
        remappings=remappings,
        arguments=["--ros-args", "--log-level", values["log_level"]],
        output="screen",
    )
    return [node]


def remapped(cameras: list[str], name: str, topics: str) -> list[tuple[str, str]]:
    """Returns remappings from <camera>/<name> to the topic given for the camera."""
    given = split(topics)
    if len(given) > len(cameras):
        raise ValueError(f"{len(given)} topics for {name} ({topics}), but cameras are {', '.join(cameras)}")
    return [(f"{camera}/{name}", topic) for camera, topic in zip(cameras, given, strict=False)]


def split(text: str) -> list[str]:
    """Returns the parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
