# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The virtual camera as other processes see it: over DDS, by signals and by exit codes."""

import time
from itertools import islice

import cv2
import numpy as np
import pytest
import rclpy
from nav_msgs.msg import Odometry
from node_harness import NodeProcess
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.rotation import matrix_from_quaternion
from lightmatch_ros.ros import virtual_camera
from lightmatch_ros.simulation.sources import RoomSource
from lightmatch_ros.simulation.trajectory import Trajectory

pytestmark = pytest.mark.dds

MODULE = "lightmatch_ros.ros.virtual_camera"
SENSOR = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=20)
LATCHED = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SIZE = (160, 120)
SMALL = {"width": SIZE[0], "height": SIZE[1], "seed": 3}


class Listener(Node):
    """Collects everything that the virtual camera publishes; image_raw is heard last."""

    def __init__(self, camera, images=SENSOR):
        super().__init__(f"listener_of_{camera}")
        self.infos, self.depths, self.truths, self.images = [], [], [], []
        self.create_subscription(CameraInfo, f"{camera}/camera_info", self.infos.append, LATCHED)
        self.create_subscription(Image, f"{camera}/depth/image_raw", self.depths.append, RELIABLE)
        self.create_subscription(Odometry, f"{camera}/ground_truth", self.truths.append, RELIABLE)
        self.create_subscription(Image, f"{camera}/image_raw", self.images.append, images)

    def spin_until(self, condition, timeout_s=60.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, [len(m) for m in (self.infos, self.depths, self.truths, self.images)]
            rclpy.spin_once(self, timeout_sec=0.1)


@pytest.fixture
def listen(ros_context):
    nodes = []

    def make(*args, **options):
        nodes.append(Listener(*args, **options))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def stamps_ns(messages):
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]


def pixels(message, dtype):
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width, -1)


def test_publishes_a_consistent_room(listen):
    listener = listen("left", images=RELIABLE)
    started_ns = time.time_ns()
    process = NodeProcess(MODULE, camera="left", rate_hz=10.0, frame_count=4, wait_for_subscribers=1, **SMALL)
    listener.spin_until(lambda: min(map(len, (listener.images, listener.truths, listener.depths))) >= 2)
    assert process.wait() == 0
    assert any("published 4 frames" in line for line in process.lines)

    kinds = [stamps_ns(m) for m in (listener.images, listener.depths, listener.truths, listener.infos)]
    common = sorted(set.intersection(*map(set, kinds)))
    assert common
    assert started_ns < common[0] < time.time_ns()
    assert np.diff(kinds[0]).min() > 0.05e9

    source, trajectory = RoomSource(SIZE, 10.0, seed=3), Trajectory(3)
    expected = list(islice(source, 4))
    images, depths, truths, infos = (
        dict(zip(stamps, messages, strict=True))
        for stamps, messages in zip(
            kinds, (listener.images, listener.depths, listener.truths, listener.infos), strict=True
        )
    )
    for stamp in common:
        check_info(infos[stamp])
        T = check_truth(truths[stamp], trajectory)
        index = np.argmin([np.abs(frame.T_world_from_camera - T).max() for frame in expected])
        assert expected[index].T_world_from_camera == pytest.approx(T, abs=1e-9)
        check_pictures(images[stamp], depths[stamp], expected[index])


def check_info(info):
    assert info.header.frame_id == "camera_optical_frame"
    assert (info.width, info.height) == SIZE
    assert info.distortion_model == "plumb_bob"
    assert list(info.d) == [0] * 5
    focal, cx, cy = 131.25, 79.5, 59.5
    assert info.k == pytest.approx([focal, 0, cx, 0, focal, cy, 0, 0, 1])
    assert info.r == pytest.approx(np.eye(3).ravel())
    assert info.p == pytest.approx([focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1, 0])


def check_truth(truth, trajectory):
    """The pose is on the trajectory, the twist is the one there; returns the pose."""
    assert truth.header.frame_id == "world"
    assert truth.child_frame_id == "camera_optical_frame"
    p, q = truth.pose.pose.position, truth.pose.pose.orientation
    T = np.eye(4)
    T[:3, :3] = matrix_from_quaternion(np.array([q.x, q.y, q.z, q.w]))
    T[:3, 3] = p.x, p.y, p.z
    motion = min((trajectory.at(i / 10) for i in range(4)), key=lambda m: np.abs(m.T_world_from_camera - T).max())
    linear, angular = truth.twist.twist.linear, truth.twist.twist.angular
    assert [linear.x, linear.y, linear.z] == pytest.approx(motion.linear_m_s)
    assert [angular.x, angular.y, angular.z] == pytest.approx(motion.angular_rad_s)
    return T


def check_pictures(image, depth, frame):
    assert (image.encoding, image.step, image.is_bigendian) == ("bgr8", SIZE[0] * 3, 0)
    assert image.header.frame_id == depth.header.frame_id == "camera_optical_frame"
    assert np.array_equal(pixels(image, np.uint8), frame.image)
    assert (depth.encoding, depth.step) == ("32FC1", SIZE[0] * 4)
    assert pixels(depth, np.float32)[..., 0] == pytest.approx(frame.depth, rel=1e-6)


def test_a_folder_is_looped_for_best_effort_subscribers_and_ends_with_ctrl_c(listen, tmp_path):
    for index, level in enumerate((50, 150)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((40, 60, 3), level, np.uint8))
    listener = listen("camera")
    process = NodeProcess(MODULE, source=str(tmp_path), rate_hz=50.0)
    listener.spin_until(lambda: len(listener.images) >= 6 and listener.infos)
    code, duration_s = process.interrupt()
    assert code == 0
    assert duration_s < 2
    assert not any("Traceback" in line for line in process.lines)
    assert {int(message.data[0]) for message in listener.images} == {50, 150}
    assert not any(listener.infos[0].k)  # uncalibrated, REP 104
    assert not listener.depths
    assert not listener.truths


def test_a_late_subscriber_still_hears_the_calibration(listen, tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "K.txt").write_text("50 0 32 0 51 24 0 0 1")
    early = listen("late")
    process = NodeProcess(MODULE, camera="late", source=str(tmp_path), calib=str(tmp_path / "K.txt"), rate_hz=0.2)
    early.spin_until(lambda: early.images)
    created_ns = time.time_ns()
    late = listen("late")
    late.spin_until(lambda: late.infos)
    assert stamps_ns(late.infos)[0] < created_ns
    assert late.infos[0].k == pytest.approx([50, 0, 32, 0, 51, 24, 0, 0, 1])
    assert process.interrupt()[0] == 0


def test_without_loop_it_ends_with_the_source(tmp_path, ros_context):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((40, 60, 3), np.uint8))
    process = NodeProcess(MODULE, source=str(tmp_path), loop=False, rate_hz=100.0)
    assert process.wait() == 0
    assert any("published 3 frames" in line for line in process.lines)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rate": 10.0}, "unknown parameter 'rate'; did you mean 'rate_hz'"),
        ({"calib": "/no/such.yaml"}, "calibration /no/such.yaml:"),
        ({"bad name": 1}, "arguments: "),
    ],
)
def test_what_it_cannot_start_with_ends_it_with_one_clear_line(parameters, message):
    process = NodeProcess(MODULE, **{**SMALL, **parameters})
    assert process.wait() == 2
    said = [line for line in process.lines if "[virtual_camera]" in line]
    assert len(said) == 1
    assert "FATAL" in said[0]
    assert message in said[0]
    assert not any("Traceback" in line for line in process.lines)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rate_hz", 0.0, "rate_hz: got 0.0, wanted 0.01 to 1000"),
        ("rate_hz", "fast", r"rate_hz: got 'fast' \(str\), wanted a float"),
        ("width", 640.0, r"width: got 640.0 \(float\), wanted a"),
        ("noise_std", -1.0, "noise_std: got -1.0, wanted 0 to 50"),
        ("source", "/no/such/folder", "source: got '/no/such/folder', wanted 'room'"),
        ("camera", "a b", "camera: got 'a b', wanted"),
    ],
)
def test_a_bad_value_is_refused(ros_context, name, value, message):
    overrides = [Parameter(n, value=v) for n, v in {**SMALL, name: value}.items()]
    with pytest.raises(ConfigurationError, match=message):
        virtual_camera.VirtualCamera(parameter_overrides=overrides)


def test_nobody_subscribes(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((40, 60, 3), np.uint8))
    process = NodeProcess(MODULE, camera="lonely", source=str(tmp_path), wait_for_subscribers=2, wait_timeout_s=0.3)
    assert process.wait() == 1
    assert any("got 0 within 0.3 s, wanted 2" in line for line in process.lines)
    assert not any("Traceback" in line for line in process.lines)


def test_an_image_that_goes_bad_ends_it_with_one_clear_line(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(b"no image")
    process = NodeProcess(MODULE, source=str(tmp_path))
    assert process.wait() == 2
    assert any("1.png: got 8 bytes that cannot be decoded" in line for line in process.lines)
    assert not any("Traceback" in line for line in process.lines)


# Messages


def test_camera_info_carries_the_lens():
    camera = CameraModel.from_matrix([[50, 0, 32], [0, 51, 24], [0, 0, 1]], (64, 48), (0.1, -0.2, 0.01, 0.02, 0.3))
    info = virtual_camera.camera_info(camera, (64, 48))
    assert info.distortion_model == "plumb_bob"
    assert list(info.d) == [0.1, -0.2, 0.01, 0.02, 0.3]
    assert (info.width, info.height) == (64, 48)


def test_an_uncalibrated_camera_has_zero_matrices():
    info = virtual_camera.camera_info(None, (64, 48))
    assert not info.distortion_model
    assert not any([*info.k, *info.r, *info.p, *info.d])
    assert (info.width, info.height) == (64, 48)
