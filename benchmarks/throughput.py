# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A camera at a fixed rate: what the node keeps up with, how old its poses are, what memory it takes over time.

Run as ``python benchmarks/throughput.py --rate 10 --json benchmarks/results/throughput.json`` on an idle machine. The
images are rendered beforehand and sent whether or not the node is ready for them, as a camera does; the node runs in
a process of its own. Further parameters go to the node: ``-p matcher.max_keypoints:=512``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(Path(__file__).parents[1] / "config" / "fastdds.xml"))

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from latency import START_TIMEOUT_S, processor
from lightmatch_msgs.msg import MatchArray, MatcherStatus, RelativePose
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from lightmatch_ros import __version__
from lightmatch_ros.core.image import to_gray
from lightmatch_ros.ros.image_conversions import array_to_image
from lightmatch_ros.simulation.sources import RoomSource

QUEUE = QoSProfile(depth=50)
WARM_UP_S = 3.0
LAST_WORD_S = 2.0  # for the answers to the last images


class Camera(Node):
    """Sends images at their times and notes when the answers come."""

    def __init__(self, size: tuple[int, int], images: list[Image]) -> None:
        super().__init__("throughput_camera")
        source = RoomSource(size)
        self._all = images
        self._info = CameraInfo(width=size[0], height=size[1], distortion_model="plumb_bob", d=[0.0] * 5)
        self._info.k = source.calibration.K.reshape(9)
        self._info.p = np.hstack([source.calibration.K, np.zeros((3, 1))]).reshape(12)
        self._images = self.create_publisher(Image, "camera/image_raw", QUEUE)
        self._infos = self.create_publisher(CameraInfo, "camera/camera_info", QUEUE)
        self.create_subscription(MatchArray, "lightmatch/camera/matches", self._on_matches, QUEUE)
        self.create_subscription(RelativePose, "lightmatch/camera/relative_pose", self._on_pose, QUEUE)
        self.create_subscription(MatcherStatus, "lightmatch/status", self._on_status, QUEUE)
        self.sent: dict[int, int] = {}  # stamp of each image, ns, by its number
        self.ages_ms: dict[int, float] = {}  # of each pose at its arrival, by the image's stamp
        self.matches: list[int] = []
        self.statuses: list[MatcherStatus] = []

    def ready(self) -> bool:
        """The node listens and is heard."""
        return bool(self._images.get_subscription_count() and self._infos.get_subscription_count() and self.statuses)

    def send(self, number: int) -> None:
        """Sends one image with the time of this moment."""
        now_ns = self.get_clock().now().nanoseconds
        image = self._all[number % len(self._all)]
        image.header.stamp = self._info.header.stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
        self.sent[number] = now_ns
        self._infos.publish(self._info)
        self._images.publish(image)

    def _on_matches(self, message: MatchArray) -> None:
        self.matches.append(len(message.scores))

    def _on_pose(self, message: RelativePose) -> None:
        stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.ages_ms[stamp_ns] = (self.get_clock().now().nanoseconds - stamp_ns) * 1e-6

    def _on_status(self, message: MatcherStatus) -> None:
        self.statuses.append(message)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Runs the node and sends it frames, there and back along the virtual camera's way."""
    size = (args.width, args.height)
    frames = iter(RoomSource(size, rate_hz=args.rate))
    pictures = [next(frames).image for _ in range(args.images)]
    if args.encoding == "mono8":
        pictures = [to_gray(picture) for picture in pictures]
    images = [array_to_image(picture, args.encoding) for picture in pictures]
    images += images[-2:0:-1]
    given = [word for setting in args.parameter for word in ("-p", setting)]
    process = subprocess.Popen([sys.executable, "-m", "lightmatch_ros.ros.node", "--ros-args", *given])
    rclpy.init()
    camera = Camera(size, images)
    executor = SingleThreadedExecutor()
    executor.add_node(camera)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not camera.ready():
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit("the node did not start")
            time.sleep(0.05)
        _play(camera, args)
    finally:
        process.terminate()
        process.wait(10)
        executor.shutdown()
        rclpy.try_shutdown()
    return _figures(camera, args)


def _play(camera: Camera, args: argparse.Namespace) -> None:
    count, due = int(args.seconds * args.rate), time.monotonic()
    for number in range(count):
        camera.send(number)
        due += 1 / args.rate
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(LAST_WORD_S)


def _figures(camera: Camera, args: argparse.Namespace) -> dict[str, Any]:
    """Of the frames after the warm-up."""
    first_ns = camera.sent[0] + int(WARM_UP_S * 1e9)
    stamps = [stamp for stamp in camera.sent.values() if stamp >= first_ns]
    ages = np.array([camera.ages_ms[stamp] for stamp in stamps if stamp in camera.ages_ms])
    low, median, high, p95, p99 = np.percentile(ages, [25, 50, 75, 95, 99])
    span_s = (stamps[-1] - stamps[0]) * 1e-9
    memory = [status.memory_mb for status in camera.statuses if status.processed]
    return {
        "sent": len(stamps),
        "answered": len(ages),
        "answered_per_s": len(ages) / span_s,
        "age_ms": {"median": median, "iqr": high - low, "p95": p95, "p99": p99, "max": ages.max()},
        "matches_median": float(np.median(camera.matches)),
        "memory_mb": {"first_minute": max(memory[:60]), "last": memory[-1], "largest": max(memory)},
        "stages_ms": {
            name: float(np.median([getattr(status, name) for status in camera.statuses if status.processed]))
            for name in ("queue_ms", "extract_ms", "match_ms", "geometry_ms", "publish_ms")
        },
    }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=10.0, help="frames a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--images", type=int, default=40, help="different images, sent there and back")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--encoding", choices=("mono8", "bgr8"), default="mono8")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME:=VALUE")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    settings = {key: value for key, value in vars(args).items() if key != "json"}
    machine = {"processor": processor(), "cores": os.cpu_count(), "version": __version__}
    report = {"settings": settings, "machine": machine, "figures": measure(args)}
    text = json.dumps(report, indent=1)
    print(text)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
