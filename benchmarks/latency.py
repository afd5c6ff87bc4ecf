# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Latency of the node over DDS, from image stamp to pose, and what of it is not the networks' and geometry's own time.

Run as ``python benchmarks/latency.py --json benchmarks/results/latency.json`` on an idle machine. The images are
rendered beforehand, the node runs in a process of its own, its memory is watched. Further parameters go to the node:
``-p matcher.features:=sift``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lightmatch_msgs.msg import MatcherStatus, RelativePose
from node_benchmark import QUEUE, START_TIMEOUT_S, add_options, camera_info, machine, render, start_node, write
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

FRAME_TIMEOUT_S = 10.0
WARM_UP_FRAMES = 10


class Probe(Node):
    """Sends an image, waits for its pose and for the status that counts it."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__("latency_probe")
        self._info = camera_info(size)
        self._images = self.create_publisher(Image, "camera/image_raw", QUEUE)
        self._infos = self.create_publisher(CameraInfo, "camera/camera_info", QUEUE)
        self.create_subscription(RelativePose, "lightmatch/camera/relative_pose", self._on_pose, QUEUE)
        self.create_subscription(MatcherStatus, "lightmatch/status", self._on_status, QUEUE)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self.pose: RelativePose | None = None
        self.pose_time_ns = 0
        self.status: MatcherStatus | None = None

    def wait(self, condition: Any, timeout_s: float) -> bool:
        """Handles messages until a condition holds; returns whether it did."""
        deadline = time.monotonic() + timeout_s
        while not condition() and time.monotonic() < deadline:
            self._spinner.spin_once(timeout_sec=0.02)
        return bool(condition())

    def ready(self) -> bool:
        """The node listens and is heard."""
        return bool(
            self._images.get_subscription_count() and self._infos.get_subscription_count() and self.status is not None
        )

    def send(self, message: Image) -> dict[str, float] | None:
        """Returns the times of one frame, ms; None for a frame without a pose, such as the first."""
        assert self.status is not None
        processed, self.pose = self.status.processed, None
        now_ns = self.get_clock().now().nanoseconds
        stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
        message.header.stamp = self._info.header.stamp = stamp
        self._infos.publish(self._info)
        self._images.publish(message)
        self.wait(lambda: self.status.processed > processed, FRAME_TIMEOUT_S)
        if self.pose is None:
            return None
        status = self.status
        latency_ms = (self.pose_time_ns - now_ns) * 1e-6
        model_ms = status.extract_ms + status.match_ms + status.geometry_ms
        names = ("queue_ms", "extract_ms", "match_ms", "geometry_ms", "publish_ms")
        return {
            "latency_ms": latency_ms,
            "overhead_ms": latency_ms - model_ms,
            **{name: float(getattr(status, name)) for name in names},
            "memory_mb": float(status.memory_mb),
            "stop_layer": float(status.stop_layer),
        }

    def _on_pose(self, message: RelativePose) -> None:
        self.pose_time_ns = self.get_clock().now().nanoseconds
        self.pose = message

    def _on_status(self, message: MatcherStatus) -> None:
        self.status = message


def measure(args: argparse.Namespace) -> list[dict[str, float]]:
    """Runs the node and sends it frames at the given rate, there and back along the virtual camera's way."""
    size = (args.width, args.height)
    images = render(args, rate_hz=10)
    process = start_node("status_period_s:=0.1", "reliability:=reliable", *args.parameter)
    rclpy.init()
    probe = Probe(size)
    records = []
    try:
        if not probe.wait(lambda: probe.ready() or process.poll() is not None, START_TIMEOUT_S) or process.poll():
            raise SystemExit("the node did not start")
        due = time.monotonic()
        for k in range(WARM_UP_FRAMES + args.frames):
            record = probe.send(images[k % len(images)])
            if record is not None and k >= WARM_UP_FRAMES:
                records.append(record)
            due = max(due + 1 / args.rate, time.monotonic())
            probe.wait(lambda: time.monotonic() >= due, 1 / args.rate)  # noqa: B023
    finally:
        process.terminate()
        process.wait(10)
        rclpy.try_shutdown()
    return records


def summarise(records: list[dict[str, float]], args: argparse.Namespace) -> dict[str, Any]:
    """Median, interquartile range and percentiles of each figure, and what they were measured on."""
    figures = {}
    for name in records[0]:
        values = np.array([record[name] for record in records])
        low, median, high, p95, p99 = np.percentile(values, [25, 50, 75, 95, 99])
        figures[name] = {"median": median, "iqr": high - low, "p95": p95, "p99": p99, "last": values[-1]}
    settings = {
        "encoding": args.encoding,
        "width": args.width,
        "height": args.height,
        "rate": args.rate,
        "parameters": args.parameter,
    }
    return {"frames": len(records), "settings": settings, "machine": machine(), "figures": figures}


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rate", type=float, default=5.0, help="frames a second at most")
    add_options(parser)
    args = parser.parse_args()
    report = summarise(measure(args), args)
    for name, values in report["figures"].items():
        print(f"{name:14s}" + "".join(f"  {key} {value:8.2f}" for key, value in values.items()))
    write(report, args.json)


if __name__ == "__main__":
    main()
