# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch match A B`: matches two images; prints a summary, writes JSON and a picture."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lightmatch_ros.cli.options import add_matcher_options, matcher_config, write_image
from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry import TwoView, estimate_two_view
from lightmatch_ros.core.pair import PairMatcher, PairResult
from lightmatch_ros.core.types import ByteArray
from lightmatch_ros.simulation.calibration import load_calibration
from lightmatch_ros.simulation.sources import read_image
from lightmatch_ros.viz.matches import draw_matches


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("match", help="match two images", description=__doc__)
    parser.add_argument("image0", type=Path, metavar="A", help="image 0, the reference")
    parser.add_argument("image1", type=Path, metavar="B", help="image 1")
    parser.add_argument(
        "--calib",
        type=Path,
        metavar="FILE",
        help="calibration of both: camera_info YAML or a 3x3 matrix; gives the pose",
    )
    parser.add_argument("--json", metavar="OUT", help="write everything as JSON, in pixels of the original images")
    parser.add_argument("--png", metavar="OUT", help="write a picture of the matches")
    add_matcher_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Matches; returns 0, also where nothing matches: that is an answer."""
    images = read_image(args.image0), read_image(args.image1)
    matcher = PairMatcher(matcher_config(args))
    result = matcher.match(*images)
    cameras = [_camera(args.calib, image) for image in images]
    started = time.perf_counter()
    two_view = estimate_two_view(
        result, *cameras, GeometryConfig(), size0=images[0].shape[1::-1], size1=images[1].shape[1::-1]
    )
    geometry_ms = (time.perf_counter() - started) * 1e3
    report = as_json(result, two_view, geometry_ms)
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(report))
    lines = summary(result, two_view)
    if args.png:
        inliers = two_view.selected
        write_image(args.png, draw_matches(*images, result.points0, result.points1, inliers, lines))
    Console(highlight=False).print("\n".join(lines), markup=False)
    return 0


def as_json(result: PairResult, two_view: TwoView, geometry_ms: float) -> dict[str, Any]:
    """The report: plain lists, in pixels of the original images; what is not known is null."""
    h, pose = two_view.homography, two_view.pose
    return {
        "points0": result.points0.tolist(),
        "points1": result.points1.tolist(),
        "scores": result.scores.tolist(),
        "inliers": two_view.selected.tolist(),
        "num_keypoints0": result.num_keypoints0,
        "num_keypoints1": result.num_keypoints1,
        "stop_layer": result.stop_layer,
        "kept_ratio": result.kept_ratio,
        "homography": {
            "valid": h.valid,
            "reason": h.reason.value,
            "h": known(h.H),
            "num_inliers": int(h.inliers.sum()),
            "rms_px": known(h.rms_px),
            "overlap": known(h.overlap),
        },
        "relative_pose": {
            "valid": pose.valid,
            "reason": pose.reason.value,
            "model": pose.model.name.lower(),
            "T_0_from_1": known(pose.T_0_from_1),
            "num_inliers": int(pose.inliers.sum()),
            "ratio_h": known(pose.ratio_h),
            "median_parallax_deg": known(pose.median_parallax_deg),
        },
        "timing_ms": {"extract": result.extract_ms, "match": result.match_ms, "geometry": geometry_ms},
    }


def known(value: Any) -> Any:
    """A number or array as plain JSON; null where any of it is NaN."""
    array = np.asarray(value, np.float64)
    return array.tolist() if np.isfinite(array).all() else None


def summary(result: PairResult, two_view: TwoView) -> list[str]:
    """What a person wants to know, line by line."""
    h, pose = two_view.homography, two_view.pose
    lines = [
        f"{len(result)} matches of {result.num_keypoints0} and {result.num_keypoints1} keypoints, "
        f"{result.stop_layer} layers, {result.kept_ratio:.0%} of the points kept",
        f"homography: {h.num_inliers} inliers, {h.rms_px:.2f} px" if h.valid else f"homography: {h.reason.value}",
    ]
    if pose.rotation_valid:
        t = " ".join(f"{v:+.3f}" for v in pose.T_0_from_1[:3, 3])
        lines.append(f"pose: rotation {pose.rotation_deg:.2f} deg" + (f", translation {t}" if pose.valid else ""))
    if not pose.valid:
        lines.append(f"pose: {pose.reason.value}")
    return lines


def _camera(path: Path | None, image: ByteArray) -> CameraModel | None:
    if path is None:
        return None
    return load_calibration(path, (image.shape[1], image.shape[0]))
