# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the node share: images, their camera, the node's process, options and report."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(Path(__file__).parents[1] / "config" / "fastdds.xml"))

import numpy as np
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from lightmatch_ros import __version__
from lightmatch_ros.core.engine.cache import processor_name
from lightmatch_ros.core.image import to_gray
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.simulation.sources import RoomSource

QUEUE = QoSProfile(depth=50)
START_TIMEOUT_S = 120.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what is sent to which node."""
    parser.add_argument("--images", type=int, default=40, help="different images, sent there and back")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--encoding", choices=("mono8", "bgr8"), default="mono8")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME:=VALUE")
    parser.add_argument("--json", type=Path)


def camera_info(size: tuple[int, int]) -> CameraInfo:
    """Returns the calibration of the virtual camera."""
    K = RoomSource(size).calibration.K
    info = CameraInfo(width=size[0], height=size[1], distortion_model="plumb_bob", d=[0.0] * 5)
    info.k, info.p = K.reshape(9), np.hstack([K, np.zeros((3, 1))]).reshape(12)
    return info


def render(args: argparse.Namespace, rate_hz: float) -> list[Image]:
    """Returns the images of the virtual camera's way, there and back."""
    frames = iter(RoomSource((args.width, args.height), rate_hz=rate_hz))
    pictures = [next(frames).image for _ in range(args.images)]
    if args.encoding == "mono8":
        pictures = [to_gray(picture) for picture in pictures]
    images = [array_to_image(picture, args.encoding) for picture in pictures]
    return images + images[-2:0:-1]


def start_node(*parameters: str) -> subprocess.Popen[bytes]:
    """Starts the node in a process of its own, with parameters NAME:=VALUE."""
    given = [word for setting in parameters for word in ("-p", setting)]
    return subprocess.Popen([sys.executable, "-m", "lightmatch_ros.ros.node", "--ros-args", *given])


def machine() -> dict[str, Any]:
    """Returns what was measured on."""
    return {"processor": processor_name(), "cores": os.cpu_count(), "version": __version__}


def write(report: dict[str, Any], path: Path | None) -> None:
    """Writes a report where a path is given."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n")
