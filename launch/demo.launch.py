# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Starts a virtual camera, the node lightmatch on its images, and rviz where asked for.

ros2 launch lightmatch_ros demo.launch.py images:=/path/to/folder calib:=/path/to/camera.yaml rviz:=true
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("lightmatch_ros")


def generate_launch_description() -> LaunchDescription:
    """Returns the arguments and the three processes."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("images", default_value="", description="folder or video; empty = a rendered room"),
            DeclareLaunchArgument("calib", default_value="", description="their camera_info YAML file"),
            DeclareLaunchArgument("rviz", default_value="false", description="true = show the result in rviz"),
            OpaqueFunction(function=virtual_camera),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", "lightmatch.launch.py"])),
                launch_arguments={"cameras": "camera"}.items(),
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", PathJoinSubstitution([SHARE, "config", "lightmatch.rviz"])],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def virtual_camera(context: LaunchContext) -> list[Node]:
    """Returns the camera's node; what is left empty is not set, so the node's own default stands."""
    arguments = {"source": "images", "calib": "calib"}
    values = {name: LaunchConfiguration(argument).perform(context) for name, argument in arguments.items()}
    given = {name: value for name, value in values.items() if value}
    node = Node(
        package="lightmatch_ros",
        executable="virtual_camera",
        name="virtual_camera",
        parameters=[given] if given else [],
        output="screen",
    )
    return [node]
