# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The node in a process of its own, over DDS, on a rendered room."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from lightmatch_msgs.msg import MatchArray, RelativePose
from lightmatch_msgs.srv import MatchImages
from node_harness import SIZE, SMALL, STEP_NS, Client, NodeProcess, camera_info
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from lightmatch_ros.core.metrics import direction_error_deg, relative, rotation_error_deg
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.ros.watcher import matrix_of
from lightmatch_ros.simulation.sources import Frame

pytestmark = pytest.mark.dds


@pytest.fixture(scope="module")
def node(ros_context: None) -> Iterator[NodeProcess]:
    """One node for the tests that leave it as they found it."""
    process = NodeProcess(**SMALL)
    process.wait_for("active on camera")
    yield process
    assert process.interrupt()[0] == 0


@pytest.fixture
def client(node: NodeProcess, room: list[Frame], info: CameraInfo) -> Iterator[Client]:
    client = Client()
    client.wait_for_matcher()
    client.call(Trigger, "lightmatch/reset", Trigger.Request())
    client.send_until(lambda: calibrated(client), room[0].image, 1, info)  # the calibration has come
    client.call(Trigger, "lightmatch/reset", Trigger.Request())
    for messages in client.received.values():
        messages.clear()
    yield client
    client.destroy_node()


def calibrated(client: Client) -> bool:
    """The last pose was estimated by a calibrated camera, whatever came of it."""
    poses = client.received["relative_pose"]
    return bool(poses) and "calibrated" not in poses[-1].reason


def play(client: Client, frames: list[Frame], info: CameraInfo | None, start_ns: int = 10**9) -> list[RelativePose]:
    """Sends frames one after the other; returns the poses."""
    for k, frame in enumerate(frames):
        client.send_and_wait(frame.image, start_ns + k * STEP_NS, info)
    return client.received["relative_pose"]


def test_poses_and_homographies_of_the_room(client, room, info):
    poses = play(client, room, info)
    assert len(poses) == len(room) - 1
    assert [pose.reason for pose in poses if not pose.valid] == []
    truth = {10**9 + k * STEP_NS: frame.motion.T_world_from_camera for k, frame in enumerate(room)}

    def true(pose: RelativePose) -> np.ndarray:
        stamps = [h.stamp.sec * 10**9 + h.stamp.nanosec for h in (pose.reference_header, pose.header)]
        return relative(truth[stamps[0]], truth[stamps[1]])

    rotation = [rotation_error_deg(matrix_of(p.pose.pose), true(p)) for p in poses]
    direction = [direction_error_deg(matrix_of(p.pose.pose), true(p)) for p in poses]
    assert np.median(rotation) < 0.5
    assert np.median(direction) < 5
    for matches, homography, pose in zip(*(client.received[t] for t in ("matches", "homography", "relative_pose"))):
        assert matches.header == homography.header == pose.header
        assert matches.frame_id == homography.frame_id == pose.frame_id
        check_match_array(matches)
        assert math.isclose(np.linalg.norm(matrix_of(pose.pose.pose)[:3, 3]), 1, abs_tol=1e-6)
        assert not pose.metric
        assert np.linalg.eigvalsh(np.reshape(pose.pose.covariance, (6, 6))).min() > 0


def check_match_array(message: MatchArray) -> None:
    count = len(message.scores)
    assert count > 20
    assert len(message.points0) == len(message.points1) == 2 * count
    for name in ("indices0", "indices1", "track_ids", "track_ages", "inliers"):
        assert len(getattr(message, name)) == count
    assert (message.width, message.height) == (message.reference_width, message.reference_height) == SIZE
    for points in (message.points0, message.points1):
        points = np.reshape(points, (-1, 2))
        assert points.min() >= -0.5
        assert (points <= np.array(SIZE) - 0.5).all()
    assert len(set(message.track_ids)) == count
    assert 0 < message.kept_ratio <= 1
    assert message.camera == "camera"
    assert message.features == "sift"


def test_tracks_go_on_from_frame_to_frame(client, room, info):
    play(client, room[:4], info)
    first, last = client.received["matches"][0], client.received["matches"][-1]
    shared = set(first.track_ids) & set(last.track_ids)
    assert len(shared) > 20
    ages = dict(zip(last.track_ids, last.track_ages))
    assert max(ages.values()) == 3


def test_first_frame_is_a_keyframe(client, room, info):
    play(client, room[:2], info)
    keyframe = client.received["keyframe"][0]
    assert (keyframe.reason, keyframe.cache_count, list(keyframe.evicted_ids)) == ("first frame", 1, [])
    assert keyframe.cache_bytes > SIZE[0] * SIZE[1]
    assert client.received["relative_pose"][0].reference_frame_id == keyframe.frame_id


def test_uncalibrated_gives_homographies_alone(client, room):
    uncalibrated = CameraInfo(width=SIZE[0], height=SIZE[1])
    poses = play(client, room[:3], uncalibrated)
    assert [pose.valid for pose in poses] == [False, False]
    assert poses[0].reason == "camera is not calibrated"
    assert np.isnan(poses[0].essential).all()
    assert math.isnan(poses[0].pose.pose.position.x)
    assert all(h.valid for h in client.received["homography"])
    assert len(client.received["keyframe"]) == 1, "inliers of the homography keep the keyframe"


def bad_messages(frame: np.ndarray) -> dict[str, Image]:
    good = array_to_image(frame, "bgr8")

    def changed(**fields: object) -> Image:
        message = array_to_image(frame, "bgr8")
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    return {
        "empty": Image(),
        "truncated": changed(data=good.data[:-7]),
        "wrong step": changed(step=11),
        "unknown encoding": changed(encoding="rgb565x"),
        "no data": changed(data=b""),
    }


def test_bad_images_are_counted_and_the_next_is_matched(client, node, room, info):
    play(client, room[:1], info)
    status = client.received["status"]
    client.spin_until(lambda: status and status[-1].processed, what="status")
    failed = status[-1].failed
    for k, (name, message) in enumerate(bad_messages(room[3].image).items()):
        client.deliver(lambda: client.send_message(message, 2 * 10**9 + k))
        client.spin_until(lambda: status[-1].failed > failed, what=f"failure counted: {name}")
        failed = status[-1].failed
    client.send_until(lambda: client.valid, room[3].image, 3 * 10**9, info)
    assert any("wanted" in line for line in node.lines)


@pytest.mark.parametrize("encoding", ["mono8", "rgb8", "rgba8", "bgra8", "mono16", "bayer_rggb8"])
def test_encodings_are_understood(client, room, info, encoding):
    import cv2

    def encoded(image: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if encoding == "mono16":
            return grey.astype(np.uint16) * 257
        if encoding == "bayer_rggb8":
            mosaic = image[..., 1].copy()
            mosaic[0::2, 0::2], mosaic[1::2, 1::2] = image[0::2, 0::2, 2], image[1::2, 1::2, 0]
            return mosaic
        codes = {"rgb8": cv2.COLOR_BGR2RGB, "rgba8": cv2.COLOR_BGR2RGBA, "bgra8": cv2.COLOR_BGR2BGRA}
        return grey if encoding == "mono8" else cv2.cvtColor(image, codes[encoding])

    client.send_and_wait(room[0].image, 10**9, info)
    count = len(client.received["relative_pose"])
    client.deliver(lambda: client.send(encoded(room[3].image), 10**9 + STEP_NS, info, encoding))
    client.spin_until(lambda: len(client.received["relative_pose"]) > count)
    assert client.received["relative_pose"][-1].valid


def test_black_frame_and_new_resolution(client, room, info):
    play(client, room[:1], info)
    client.send_and_wait(np.zeros_like(room[0].image), 2 * 10**9, info)
    assert not client.received["relative_pose"][-1].valid
    assert client.received["matches"][-1].num_keypoints == 0
    small = room[1].image[40:440, 60:580]
    client.send_and_wait(np.ascontiguousarray(small), 3 * 10**9)
    last = client.received["homography"][-1]
    assert last.valid
    np.testing.assert_allclose(np.reshape(last.h, (3, 3))[:2, 2], [-60, -40], atol=40)
    assert not client.received["relative_pose"][-1].valid, "camera_info is of another size"
    client.send_until(lambda: client.valid, room[3].image, 4 * 10**9, info)


def test_broken_camera_info_and_time_jump(client, room, info):
    play(client, room[:1], info, start_ns=100 * 10**9)
    broken = camera_info(np.full((3, 3), np.nan), SIZE)
    status = client.received["status"]
    client.spin_until(lambda: status)
    failed = status[-1].failed
    client.send_until(lambda: status[-1].failed > failed, room[1].image, 101 * 10**9, broken)
    assert client.received["homography"][-1].valid
    client.send_and_wait(room[3].image, 50 * 10**9, info)
    client.spin_until(lambda: client.received["keyframe"][-1].reason == "time jumped back")
    client.send_until(lambda: client.valid, room[6].image, 51 * 10**9, info)


def test_match_image_comes_only_when_asked_for(client, room, info):
    play(client, room[:2], info)
    pictures = client.listen(Image, "lightmatch/camera/match_image")
    client.spin_until(lambda: client.count_publishers("/lightmatch/camera/match_image"))
    sent = 0
    while not pictures:  # until discovery has told the node of this subscription
        sent += 1
        assert sent < 50
        client.send_and_wait(room[1].image, 10**9 + (1 + sent) * STEP_NS, info)
    assert (pictures[0].width, pictures[0].height, pictures[0].encoding) == (2 * SIZE[0], SIZE[1], "bgr8")


def test_service_matches_two_images(client, room, info):
    request = MatchImages.Request(camera_info0=info, camera_info1=info)
    request.image0, request.image1 = (array_to_image(frame.image, "bgr8") for frame in (room[0], room[3]))
    answer = client.call(MatchImages, "lightmatch/match_images", request)
    assert (answer.success, answer.message) == (True, "")
    assert answer.matches.pair_type == MatchArray.SERVICE
    assert answer.homography.valid
    true = relative(*(room[k].motion.T_world_from_camera for k in (0, 3)))
    assert rotation_error_deg(matrix_of(answer.relative_pose.pose.pose), true) < 1
    request.image1 = Image()
    answer = client.call(MatchImages, "lightmatch/match_images", request)
    assert not answer.success
    assert "wanted at least 1 x 1" in answer.message


def set_parameter(client: Client, name: str, value: object) -> tuple[bool, str]:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    result = client.call(SetParameters, "lightmatch/set_parameters", request).results[0]
    return result.successful, result.reason


def test_parameters_are_live_or_refused(client, room, info):
    assert set_parameter(client, "keyframe.max_age_s", 0.05) == (True, "")
    play(client, room[:3], info)
    assert client.received["keyframe"][-1].reason == "age"
    assert set_parameter(client, "keyframe.max_age_s", 0.0) == (True, "")
    for name, value, reason in (
        ("keyframe.max_count", 0, "max_count"),
        ("keyframe.reference", "newest", "wanted one of last, overlap"),
        ("matcher.max_keypoints", 100, "read-only"),
        ("no.such", 1, "undeclared"),
    ):
        done, why = set_parameter(client, name, value)
        assert not done
        assert reason in why


def test_parameters_are_described(client):
    request = DescribeParameters.Request(names=["keyframe.max_count", "matcher.features"])
    count, features = client.call(DescribeParameters, "lightmatch/describe_parameters", request).descriptors
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 10000)
    assert "keyframes kept" in count.description
    assert not count.read_only
    assert features.read_only
    assert "xfeat" in features.additional_constraints


def test_incompatible_subscriber_is_an_error_in_the_log(client, node):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    client.listen(MatchArray, "lightmatch/camera/matches", latched)
    node.wait_for("incompatible QoS (durability)", 30)


def test_status_and_diagnostics(client, room, info):
    from diagnostic_msgs.msg import DiagnosticArray

    reports = client.listen(DiagnosticArray, "/diagnostics")
    play(client, room[:3], info)
    status = client.received["status"]
    client.spin_until(lambda: reports and status[-1].matches > 0)
    last = status[-1]
    assert (last.state, last.device, last.compiled) == ("active", "cpu", True)
    assert last.precision in ("bf16", "fp32")
    assert last.processed <= last.received
    assert 0 < last.match_ms < last.total_ms
    assert last.memory_mb > 50
    assert reports[-1].status[0].name == "lightmatch: matcher"
    assert {"match_ms", "dropped"} <= {value.key for value in reports[-1].status[0].values}
