# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The node over DDS on real sequences: its poses against ground truth."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from lightmatch_msgs.msg import RelativePose
from node_harness import SMALL, Client, NodeProcess, camera_info

from lightmatch_ros.core.metrics import direction_error_deg, relative, rotation_error_deg
from lightmatch_ros.core.rotation import matrix_from_quaternion
from lightmatch_ros.ros.watcher import matrix_of

pytestmark = pytest.mark.dds


@dataclass
class Errors:
    """Of the poses of one run; NaN where the truth or the estimate says nothing."""

    valid: list[bool]
    rotation_deg: list[float]
    direction_deg: list[float]

    def summary(self) -> str:
        known = np.isfinite(self.rotation_deg)
        return (
            f"{np.mean(self.valid):.0%} valid, {np.mean(known):.0%} with rotation; median errors: rotation "
            f"{np.nanmedian(self.rotation_deg):.3f} deg, direction {np.nanmedian(self.direction_deg):.2f} deg"
        )


def run(
    features: str, environment: dict[str, str], images: list[Path], stamps_ns: list[int], truth: list[np.ndarray], info
) -> Errors:
    """Plays images in order; returns the errors of the poses between each frame and its keyframe."""
    process = NodeProcess(
        environment=environment,
        namespace="accuracy",
        **{**SMALL, "matcher__features": features, "matcher__max_keypoints": 1024},
    )
    client = Client(namespace="accuracy")
    try:
        process.wait_for("active on camera")
        client.wait_for_matcher()
        for path, stamp_ns in zip(images, stamps_ns):
            client.send_and_wait(cv2.imread(str(path), cv2.IMREAD_COLOR), stamp_ns, info)
        poses = client.received["relative_pose"]
    finally:
        process.interrupt()
        client.destroy_node()
    return errors(poses, dict(zip(stamps_ns, truth)))


def errors(poses: list[RelativePose], truth: dict[int, np.ndarray]) -> Errors:
    out = Errors([], [], [])
    for pose in poses:
        stamps = [h.stamp.sec * 10**9 + h.stamp.nanosec for h in (pose.reference_header, pose.header)]
        true = relative(truth[stamps[0]], truth[stamps[1]])
        estimated = matrix_of(pose.pose.pose)
        out.valid.append(pose.valid)
        out.rotation_deg.append(rotation_error_deg(estimated, true))
        out.direction_deg.append(direction_error_deg(estimated, true) if pose.valid else np.nan)
    return out


@pytest.mark.parametrize("features", ["sift", "xfeat"])
def test_kitti(features, ros_context, xfeat_weights, shared_data):
    folder = shared_data / "kitti06"
    images = sorted((folder / "image_l").iterdir())
    truth = [np.vstack([row.reshape(3, 4), [0, 0, 0, 1]]) for row in np.loadtxt(folder / "poses.txt")]
    K = np.loadtxt(folder / "calib.txt")[0].reshape(3, 4)[:, :3]
    height, width = cv2.imread(str(images[0])).shape[:2]
    stamps_ns = [10**9 + k * 10**8 for k in range(len(images))]
    found = run(features, xfeat_weights, images, stamps_ns, truth, camera_info(K, (width, height)))
    print(features, found.summary())
    assert np.mean(found.valid) >= 0.95
    assert np.nanmedian(found.rotation_deg) <= 0.1
    assert np.nanmedian(found.direction_deg) <= 1.5


@pytest.mark.parametrize("features", ["sift", "xfeat"])
def test_tum_rotation(features, ros_context, xfeat_weights, shared_data):
    folder = shared_data / "tum_fr1_rpy"
    images = sorted((folder / "rgb").iterdir())
    stamps_s = [float(path.stem) for path in images]
    truth = interpolated(np.loadtxt(folder / "groundtruth.txt"), stamps_s)
    K = np.array([[517.3, 0, 318.6], [0, 516.5, 255.3], [0, 0, 1]])
    info = camera_info(K, (640, 480), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633))
    found = run(features, xfeat_weights, images, [round(s * 1e6) * 1000 for s in stamps_s], truth, info)
    print(features, found.summary())
    assert np.isfinite(found.rotation_deg).mean() >= 0.9
    assert np.nanmedian(found.rotation_deg) <= 1.0


def interpolated(rows: np.ndarray, stamps_s: list[float]) -> list[np.ndarray]:
    """Camera poses (4, 4) at given times: straight lines between the samples, 10 ms apart."""
    poses = []
    for stamp in stamps_s:
        after = int(np.clip(np.searchsorted(rows[:, 0], stamp), 1, len(rows) - 1))
        before, next_ = rows[after - 1], rows[after]
        part = (stamp - before[0]) / (next_[0] - before[0])
        q0, q1 = before[4:], next_[4:] * np.sign(before[4:] @ next_[4:])
        T = np.eye(4)
        T[:3, :3] = matrix_from_quaternion((1 - part) * q0 + part * q1)
        T[:3, 3] = (1 - part) * before[1:4] + part * next_[1:4]
        poses.append(T)
    return poses
