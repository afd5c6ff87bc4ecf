# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch sequence DIR`: the node's pipeline on a folder or video, without ROS, against ground truth if given."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lightmatch_ros.cli.options import add_matcher_options, matcher_config
from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.frames import Frame, FrameResult
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.metrics import direction_error_deg, relative, rotation_error_deg
from lightmatch_ros.core.pipeline import CameraPipeline
from lightmatch_ros.core.types import DoubleArray
from lightmatch_ros.simulation.sources import open_source


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("sequence", help="match a folder of images or a video", description=__doc__)
    parser.add_argument("source", metavar="DIR", help="folder of images, folder/pattern, video, or room")
    parser.add_argument("--calib", type=Path, help="camera_info YAML or a 3x3 matrix; gives poses")
    parser.add_argument(
        "--poses", type=Path, help="true poses, camera to world, 12 numbers a line (KITTI); gives errors"
    )
    parser.add_argument("--rate", type=float, default=10.0, help="frames a second, for the stamps (default: 10)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write one record for each frame")
    add_matcher_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the pipeline; returns 0."""
    source = open_source(args.source, args.calib, rate_hz=args.rate)
    truth = read_poses(args.poses) if args.poses else None
    pipeline = CameraPipeline(Matching(matcher_config(args)), KeyframeConfig(), GeometryConfig())
    records = []
    for index, given in enumerate(track(source, description="frames")):
        pose = given.T_world_from_camera if truth is None else truth[index]
        stamp_ns = round(given.stamp_s * 1e9)
        result = pipeline.process(Frame(stamp_ns, "camera", given.image, source.calibration, None))
        records.append(record(result, pose, {r["frame_id"]: r["true_pose"] for r in records}))
    if args.json:
        plain = [{k: v for k, v in r.items() if k != "true_pose"} for r in records]
        args.json.write_text(json.dumps(plain, indent=1))
    Console().print(summary_table(records))
    return 0


def read_poses(path: Path) -> DoubleArray:
    """Reads KITTI's format: (N, 4, 4) camera to world.

    Raises:
        ConfigurationError: not 12 numbers on each line.
    """
    try:
        rows = np.loadtxt(path, ndmin=2)
        upper = rows.reshape(-1, 3, 4)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}; wanted 12 numbers on each line") from error
    return np.concatenate([upper, np.broadcast_to([[[0.0, 0.0, 0.0, 1.0]]], (len(upper), 1, 4))], axis=1)


def record(result: FrameResult, true_pose: DoubleArray | None, known: dict[int, DoubleArray | None]) -> dict[str, Any]:
    """What one frame gave, as plain values; errors against the keyframe's true pose where it is known."""
    pairing, insertion, timing = result.pairing, result.insertion, result.timing
    out: dict[str, Any] = {
        "frame_id": result.frame_id,
        "true_pose": true_pose,
        "keypoints": len(result.features),
        "keyframe_reason": insertion.reason.value if insertion else None,
        **vars(timing),
    }
    if pairing is None:
        return out
    pose, keyframe_id = pairing.two_view.pose, pairing.keyframe.frame_id
    out |= {
        "keyframe_id": keyframe_id,
        "matches": len(pairing.matches),
        "inliers": int(pairing.two_view.selected.sum()),
        "stop_layer": pairing.matches.stop_layer,
        "valid": pose.valid,
        "reason": pose.reason.value,
    }
    reference = known.get(keyframe_id)
    if reference is not None and true_pose is not None and pose.rotation_valid:
        true = relative(reference, true_pose)
        out["rotation_error_deg"] = rotation_error_deg(pose.T_0_from_1, true)
        if pose.valid:
            out["direction_error_deg"] = direction_error_deg(pose.T_0_from_1, true)
    return out


def summary_table(records: list[dict[str, Any]]) -> Table:
    """Medians, and the reasons for keyframes and invalid poses, counted."""
    paired = [r for r in records if "keyframe_id" in r]
    table = Table(title=f"{len(records)} frames", show_header=False)
    for name in ("matches", "inliers", "stop_layer", "extract_ms", "match_ms", "geometry_ms"):
        table.add_row(f"median {name}", _median(paired, name))
    table.add_row("valid poses", f"{sum(r['valid'] for r in paired)} of {len(paired)}")
    for name in ("rotation_error_deg", "direction_error_deg"):
        table.add_row(f"median {name}", _median(paired, name))
    table.add_row("keyframes", _counts(r["keyframe_reason"] for r in records))
    table.add_row("invalid", _counts(r["reason"] for r in paired))
    return table


def _median(records: list[dict[str, Any]], name: str) -> str:
    values = [r[name] for r in records if r.get(name) is not None and not np.isnan(r[name])]
    return f"{np.median(values):.3f}" if values else "-"


def _counts(values: Any) -> str:
    counts = Counter(value for value in values if value)
    return ", ".join(f"{count} {value}" for value, count in counts.most_common()) or "none"
