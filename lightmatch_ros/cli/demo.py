# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch demo`: camera, matcher and watcher as three processes over DDS; prints a live table, leaves pictures."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from lightmatch_ros.cli.options import add_matcher_options, matcher_config, write_image
from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.viz.poses import plot_poses

if TYPE_CHECKING:
    from lightmatch_ros.ros.watcher import Row, Watcher

ROWS_SHOWN = 12
DDS_PROFILE = Path(__file__).parents[2] / "config" / "fastdds.xml"
STOP_TIMEOUT_S = 5.0
QUIET_S = 2.0  # the end of the stream: no pose for this long after the camera has ended


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("demo", help="the node on a virtual camera or on your pictures", description=__doc__)
    parser.add_argument("--images", default="", help="folder of images or a video instead of the virtual room")
    parser.add_argument("--calib", default="", help="its calibration: camera_info YAML or a 3x3 matrix")
    parser.add_argument("--frames", type=int, default=150, help="frames of the virtual room (default: 150)")
    parser.add_argument("--rate", type=float, default=10.0, help="frames a second (default: 10)")
    parser.add_argument(
        "--start-timeout", type=float, default=180.0, help="limit for the node's start, s (default: 180)"
    )
    parser.add_argument("--out", default="out", help="folder for pictures and logs (default: out)")
    add_matcher_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the three processes; returns 0 where the node gave valid poses (homographies without calibration)."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if DDS_PROFILE.is_file():  # not in an installed package, where the user sets it
        os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(DDS_PROFILE))
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    if args.threads is None:
        args.threads = max(1, (os.cpu_count() or 1) // 2)  # camera and watcher want cores too
    config = matcher_config(args)
    console.print(f"matcher: {config.features}, weights {config.weights}; logs and pictures in {out}/")
    with _process("lightmatch_ros.ros.node", _node_parameters(config), out / "node.log") as node:
        camera_parameters = _camera_parameters(args)
        with _process("lightmatch_ros.ros.virtual_camera", camera_parameters, out / "camera.log") as camera:
            watcher = _watch(console, node, camera, args)
    report = summarise(watcher.rows, len(watcher.keyframes))
    _write(out, watcher, report)
    console.print(_summary_table(report))
    calibrated = not args.images or bool(args.calib)
    good = report["valid_poses"] if calibrated else report["valid_homographies"]
    if not good:
        console.print(f"[red]no valid {'poses' if calibrated else 'homographies'}; see {out}/node.log[/red]")
    return 0 if good else 1


def summarise(rows: list[Row], num_keyframes: int) -> dict[str, float]:
    """Counts, and medians over the frames where both estimate and truth are known; NaN where there are none."""
    latency = [row.latency_ms for row in rows]
    return {
        "frames": len(rows),
        "keyframes": num_keyframes,
        "valid_poses": sum(row.valid for row in rows),
        "valid_homographies": sum(row.homography_valid for row in rows),
        "median_matches": _median([row.num_matches for row in rows]),
        "median_inliers": _median([row.num_inliers for row in rows]),
        "median_rotation_error_deg": _median([row.rotation_error_deg for row in rows]),
        "median_direction_error_deg": _median([row.direction_error_deg for row in rows]),
        "median_latency_ms": _median(latency),
        "p95_latency_ms": float(np.percentile(latency, 95)) if latency else float("nan"),
    }


@dataclass
class _Process:
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def last_lines(self, count: int = 5) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


@contextlib.contextmanager
def _process(module: str, parameters: dict[str, Any], log: Path) -> Iterator[_Process]:
    """Runs a node's module as a process of its own; ends it by Ctrl-C's signal."""
    arguments = [f"{name}:={_literal(value)}" for name, value in parameters.items()]
    command = [sys.executable, "-m", module, "--ros-args", *(word for a in arguments for word in ("-p", a))]
    with log.open("wb") as file:
        popen = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield _Process(popen, log)
        finally:
            if popen.poll() is None:
                popen.send_signal(signal.SIGINT)
            try:
                popen.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def _watch(console: Console, node: _Process, camera: _Process, args: argparse.Namespace) -> Watcher:
    """Spins the watcher until the camera has ended and the last pose has come."""
    import rclpy

    from lightmatch_ros.ros.watcher import Watcher

    rclpy.init()
    watcher = Watcher()
    deadline = time.monotonic() + args.start_timeout
    last = time.monotonic()
    with Live(console=console, refresh_per_second=8) as live:
        while not (camera.ended and time.monotonic() - last > QUIET_S):
            if node.ended:
                raise ConfigurationError(f"the node ended:\n{node.last_lines()}")
            if camera.ended and camera.popen.returncode:
                raise ConfigurationError(f"the camera ended:\n{camera.last_lines()}")
            if not watcher.rows and time.monotonic() > deadline:
                raise ConfigurationError(f"no pose within {args.start_timeout} s; see {node.log}")
            count = len(watcher.rows)
            rclpy.spin_once(watcher, timeout_sec=0.1)
            if len(watcher.rows) > count:
                last = time.monotonic()
                live.update(_live_table(watcher.rows))
    rclpy.try_shutdown()
    return watcher


def _node_parameters(config: MatcherConfig) -> dict[str, Any]:
    default = MatcherConfig()
    changed = {f"matcher.{k}": v for k, v in vars(config).items() if v != getattr(default, k)}
    return {"reliability": "reliable", **changed}


def _camera_parameters(args: argparse.Namespace) -> dict[str, Any]:
    parameters: dict[str, Any] = {"rate_hz": float(args.rate), "wait_for_subscribers": 1, "loop": False}
    if args.images:
        return {**parameters, "source": args.images, "calib": args.calib, "depth": False}
    return {**parameters, "frame_count": args.frames, "depth": False}


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _live_table(rows: list[Row]) -> Table:
    table = Table(title=f"frame {rows[-1].frame_id}")
    for column in ("frame", "keyframe", "matches", "inliers", "layers", "pose", "rotation err", "direction err", "ms"):
        table.add_column(column, justify="right")
    for row in rows[-ROWS_SHOWN:]:
        table.add_row(
            str(row.frame_id),
            str(row.reference_frame_id),
            str(row.num_matches),
            str(row.num_inliers),
            str(row.stop_layer),
            "valid" if row.valid else row.reason,
            _degrees(row.rotation_error_deg),
            _degrees(row.direction_error_deg),
            f"{row.latency_ms:.0f}",
        )
    return table


def _summary_table(report: dict[str, float]) -> Table:
    table = Table(title="summary", show_header=False)
    for name, value in report.items():
        table.add_row(name.replace("_", " "), f"{value:.2f}" if isinstance(value, float) else str(value))
    return table


def _write(out: Path, watcher: Watcher, report: dict[str, float]) -> None:
    """Leaves summary.json, matches.png and, with ground truth, poses.png."""
    known = {name: None if np.isnan(value) else value for name, value in report.items()}
    (out / "summary.json").write_text(json.dumps(known, indent=2) + "\n")
    if watcher.match_image is not None:
        message = watcher.match_image
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        write_image(out / "matches.png", pixels)
    rows = [row for row in watcher.rows if row.T_0_from_1_true is not None]
    if rows:
        estimated = np.array([row.T_0_from_1 for row in rows])
        true = np.array([row.T_0_from_1_true for row in rows])
        plot_poses(out / "poses.png", [row.frame_id for row in rows], estimated, true)


def _median(values: list[float]) -> float:
    finite = [value for value in values if not np.isnan(value)]
    return float(np.median(finite)) if finite else float("nan")


def _degrees(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}°"
