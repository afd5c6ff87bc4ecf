# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How many frames a second the whole pipeline manages, from images in memory to filled messages.

    python benchmarks/pipeline.py --features xfeat --keypoints 1024 --json benchmarks/results/pipeline-xfeat.json

As in the node, without DDS: images of the virtual camera, rendered beforehand, there and back along its way; extracted
(with overlap on a thread of its own, one frame ahead), matched with a keyframe (with overlap begun before the geometry
of the frame before), geometry, keyframe decision, messages.
The time of a frame is that since the frame before it was done. Where there is no ROS the messages are left out, and
the report says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.extraction import Extracted
from lightmatch_ros.core.frames import Frame, FrameResult
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import Begun, CameraPipeline
from lightmatch_ros.core.prefetch import Prefetch
from lightmatch_ros.evaluation.bench.environment import describe
from lightmatch_ros.simulation.sources import RoomSource

NAME = "camera"
WARM_UP_FRAMES = 30

with contextlib.suppress(ImportError):
    from std_msgs.msg import Header

    from lightmatch_ros.ros import conversions

HAS_ROS = "conversions" in globals()


@dataclass(eq=False)
class Turn:
    """A frame that is ready to be matched."""

    frame: Frame
    extracted: Extracted
    begun: Begun | None = None


def render(size: tuple[int, int], count: int, rate_hz: float) -> Callable[[int], Frame]:
    """Returns the k-th frame of the virtual camera's way, there and back."""
    source = RoomSource(size, rate_hz)
    images = [frame.image for _, frame in zip(range(count), source, strict=False)]
    images += images[-2:0:-1]
    period_ns = round(1e9 / rate_hz)
    return lambda k: Frame(k * period_ns, NAME, images[k % len(images)], source.calibration)


def fill_messages(result: FrameResult) -> None:
    """Fills the messages that the node would publish."""
    pairing = result.pairing
    if pairing is None or not HAS_ROS:
        return
    header = Header(frame_id=NAME)
    ends = conversions.keyframe_ends(NAME, header, result.frame_id, pairing)
    two_view, count = pairing.two_view, len(pairing.matches)
    sizes = pairing.keyframe.features.image_size, result.features.image_size
    conversions.match_array(ends, pairing.matches, two_view.inliers, sizes, result.features.name, pairing.tracks)
    conversions.homography(ends, two_view.homography, count)
    pose = conversions.relative_pose(ends, two_view.pose, count)
    if pose.valid:
        conversions.pose_stamped(pose)
    if result.insertion is not None:
        conversions.keyframe(NAME, header, result, result.insertion)


def measure(matching: Matching, frame: Callable[[int], Frame], count: int) -> list[dict[str, float]]:
    """Runs the pipeline; returns the times of each frame after the first few, ms."""

    def extract() -> Iterator[Turn]:
        for k in range(WARM_UP_FRAMES + count):
            taken = frame(k)
            yield Turn(taken, matching.extract_ahead(taken.image))

    def begin_next() -> None:
        following = ready.peek() if isinstance(ready, Prefetch) else None
        if following is not None:
            following.begun = pipeline.begin(following.extracted)

    pipeline = CameraPipeline(matching, KeyframeConfig(), GeometryConfig())
    ready = Prefetch(extract(), "extraction") if matching.overlap else extract()
    records, before = [], time.perf_counter()
    for turn in ready:
        result = pipeline.match(turn.frame, turn.extracted, turn.begun, begin_next)
        began = time.perf_counter()
        fill_messages(result)
        done = time.perf_counter()
        timing = result.timing
        records.append(
            {
                "frame_ms": (done - before) * 1e3,
                "extract_ms": timing.extract_ms,
                "match_ms": timing.match_ms,
                "geometry_ms": timing.geometry_ms,
                "messages_ms": (done - began) * 1e3,
                "valid": float(result.pairing is not None and result.pairing.two_view.pose.valid),
                "keyframe": float(result.insertion is not None),
            }
        )
        before = done
    return records[WARM_UP_FRAMES:]


def summarise(records: list[dict[str, float]]) -> dict[str, Any]:
    """Frames a second, percentiles of the times, shares of valid poses and of keyframes."""
    times = {name: np.array([r[name] for r in records]) for name in records[0]}
    shares = {f"{name}_share": float(times.pop(name).mean()) for name in ("valid", "keyframe")}
    percentiles = {
        name: dict(zip(("median", "p95", "p99"), np.percentile(values, [50, 95, 99]).tolist(), strict=True))
        for name, values in times.items()
    }
    return {"frames_per_s": 1e3 * len(records) / float(times["frame_ms"].sum()), **shares, "times": percentiles}


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="xfeat")
    parser.add_argument("--keypoints", type=int, default=1024)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--overlap", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--images", type=int, default=60, help="different images")
    parser.add_argument("--rate", type=float, default=30.0, help="of the virtual camera, Hz: how far images are apart")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    frame = render(tuple(args.size), args.images, args.rate)
    config = MatcherConfig(
        features=args.features, max_keypoints=args.keypoints, device=args.device, overlap=args.overlap
    )
    matching = Matching(config)
    matching.warm_up(tuple(args.size))
    figures = {"messages": HAS_ROS, "overlap": matching.overlap, **summarise(measure(matching, frame, args.frames))}
    print(json.dumps(figures, indent=1))
    if args.json:
        settings = {name: getattr(args, name) for name in ("features", "keypoints", "rate", "size", "frames")}
        report = {"environment": describe(matching.device), "settings": settings, "figures": figures}
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
