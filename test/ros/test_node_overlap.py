# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Extraction beside matching gives what one after the other gives: the node over DDS, the worker at full speed."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from lightmatch_msgs.srv import MatchImages
from node_harness import SMALL, poses_of, running
from sensor_msgs.msg import CameraInfo

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.ros.calibration import Calibration
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.ros.mailbox import Letter, Mailbox
from lightmatch_ros.ros.worker import Worker
from lightmatch_ros.simulation.sources import Frame

LIMIT_S = 120.0


@pytest.mark.dds
def test_the_node_publishes_the_same_poses(ros_context, room, info):
    poses = {}
    for overlap in ("never", "always"):
        with running(overlap, matcher__overlap=overlap, matcher__tune="false", **SMALL) as (process, client):
            assert any("extracts ahead" in line for line in process.lines) == (overlap == "always")
            poses[overlap] = poses_of(client, room, info)
            request = MatchImages.Request(camera_info0=info, camera_info1=info)
            request.image0, request.image1 = (array_to_image(room[k].image, "bgr8") for k in (0, 3))
            assert client.call(MatchImages, f"/{overlap}/lightmatch/match_images", request).success
    assert poses["always"].keys() == poses["never"].keys() and len(poses["always"]) >= len(room) - 1
    for stamp, wanted in poses["never"].items():
        got = poses["always"][stamp]
        assert got.valid == wanted.valid and got.reference_header.stamp == wanted.reference_header.stamp
        assert_same_pose(got.pose.pose, wanted.pose.pose)


def assert_same_pose(got, wanted) -> None:
    for part, names in (("position", "xyz"), ("orientation", "xyzw")):
        values = [[getattr(getattr(pose, part), name) for name in names] for pose in (got, wanted)]
        np.testing.assert_allclose(*values, atol=1e-9)


class Camera(Mailbox):
    """A mailbox whose next image is there whenever the worker asks; after the last, it says so."""

    def __init__(self, room: list[Frame], info: CameraInfo) -> None:
        super().__init__(["camera"])
        self._room = iter(enumerate(room))
        self._info = info
        self.ended = threading.Event()

    def take(self, timeout_s: float) -> Letter | None:
        for k, frame in self._room:
            image = array_to_image(frame.image, "bgr8")
            image.header.stamp.sec = k + 1
            self.put_image("camera", image)
            break
        else:
            self.put_job(self.ended.set)
        return super().take(timeout_s)


def results_of(overlap: str, room: list[Frame], info: CameraInfo) -> list:
    """What the worker publishes of a camera that never lets it wait."""
    values = {"matcher.overlap": overlap, "matcher.tune": False, "matcher.max_keypoints": 256, "matcher.threads": 1}
    camera, results = Camera(room, info), []
    calibration = Calibration(rectified=False, timeout_s=0.0)
    calibration.store(info)
    worker = Worker(
        schema.with_values(NodeConfig(), values),
        camera,
        {"camera": calibration},
        SimpleNamespace(publish=lambda camera, header, frame, result: results.append(result)),
        now_ns=lambda: 0,
        log=SimpleNamespace(info=print, error=print, warning=print),
        on_death=camera.ended.set,
    )
    worker.start()
    assert camera.ended.wait(LIMIT_S)
    assert worker.stop(LIMIT_S) and worker.error is None
    return results


def test_the_worker_at_full_speed_finds_the_same(room, info):
    wanted, got = (results_of(overlap, room, info) for overlap in ("never", "always"))
    assert [result.frame_id for result in got] == list(range(1, len(room) + 1))
    for one, other in zip(wanted, got, strict=True):
        assert (one.pairing is None) == (other.pairing is None)
        assert (one.insertion is None) == (other.insertion is None)
        if one.pairing is not None:
            assert one.pairing.keyframe.frame_id == other.pairing.keyframe.frame_id
            np.testing.assert_array_equal(one.pairing.matches.indices1, other.pairing.matches.indices1)
            np.testing.assert_array_equal(one.pairing.tracks.ids, other.pairing.tracks.ids)
            np.testing.assert_allclose(*(r.pairing.two_view.pose.T_0_from_1 for r in (one, other)), atol=1e-12)
