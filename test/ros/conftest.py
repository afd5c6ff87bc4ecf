# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the tests over DDS share. The domain is this run's own, so that two runs do not hear each other."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightmatch_ros.simulation.sources import Frame, RoomSource

SIZE = (640, 480)

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(Path(__file__).parents[2] / "config" / "fastdds.xml")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))


@pytest.fixture(scope="session")
def ros_context() -> Iterator[None]:
    """rclpy, initialised once for the run."""
    import rclpy

    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="session")
def xfeat_weights(shared_weights: Path) -> dict[str, str]:
    """Environment in which the node finds XFeat and LighterGlue."""
    return {"LIGHTMATCH_WEIGHTS": str(shared_weights)}


@pytest.fixture(scope="session")
def room() -> list[Frame]:
    """Frames of the virtual camera, a fifth of a second apart."""
    frames = iter(RoomSource(SIZE, rate_hz=5))
    return [next(frames) for _ in range(8)]


@pytest.fixture(scope="session")
def info() -> Any:
    """The virtual camera's sensor_msgs/CameraInfo."""
    from node_harness import camera_info

    return camera_info(RoomSource(SIZE).calibration.K, SIZE)
