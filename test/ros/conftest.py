# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What the tests over DDS share. The domain is this run's own, so that two runs do not hear each other."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
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
