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
import threading
import time
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lightmatch_msgs.msg import MatchArray, MatcherStatus, RelativePose
from node_benchmark import QUEUE, START_TIMEOUT_S, add_options, camera_info, machine, render, start_node, write
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

WARM_UP_S = 3.0
LAST_WORD_S = 2.0  # for the answers to the last images


class Camera(Node):
    """Sends images at their times and notes when the answers come."""

    def __init__(self, size: tuple[int, int], images: list[Image]) -> None:
        super().__init__("throughput_camera")
        self._all = images
        self._info = camera_info(size)
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
    images = render(args, args.rate)
    process = start_node(*args.parameter)
    rclpy.init()
    camera = Camera((args.width, args.height), images)
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
        "memory_mb": {"first_60_statuses": max(memory[:60]), "last": memory[-1], "largest": max(memory)},
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
    add_options(parser)
    args = parser.parse_args()
    settings = {key: value for key, value in vars(args).items() if key != "json"}
    report = {"settings": settings, "machine": machine(), "figures": measure(args)}
    print(json.dumps(report, indent=1))
    write(report, args.json)


if __name__ == "__main__":
    main()
