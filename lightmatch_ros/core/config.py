# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the project, each declared once; ROS parameters, YAML, README table derive from here."""

from __future__ import annotations

from dataclasses import dataclass, field

from lightmatch_ros.core import schema
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.schema import parameter


@dataclass(frozen=True)
class MatcherConfig:
    """What extracts and matches. Raises ConfigurationError for a value out of its range."""

    features: str = parameter(
        "sift", "local features: which extractor runs", choices=("sift", "xfeat", "aliked-n16", "aliked-t16")
    )
    weights: str = parameter(
        "auto",
        "LightGlue weights: a registry name, a checkpoint file, or auto for those made for the features",
    )
    max_keypoints: int = parameter(1024, "keypoints kept for each image, best first", minimum=1, maximum=20000)
    resize: int = parameter(
        0,
        "longer side that images are shrunk to before extraction, pixels; 0 = as they are",
        minimum=0,
        maximum=8192,
    )
    mask: str = parameter("", "image file (8 bit, 0 = ignore) of the regions without keypoints; empty = none")
    device: str = parameter("auto", "where the networks run: auto, cpu, cuda or cuda:N")
    threads: int = parameter(
        0,
        "CPU threads of networks and OpenCV; 0 = all cores, the fastest on a free machine; 1 suffers least from "
        "other programs on a busy one",
        minimum=0,
        maximum=1024,
    )
    overlap: str = parameter(
        "auto",
        "the node extracts an image while the one before it is matched: more frames a second where there are cores to "
        "spare; auto = with CUDA, or with 4 cores or more and threads not 1",
        choices=("auto", "always", "never"),
    )
    engine: str = parameter(
        "auto",
        "how the networks run: compiled is the fastest for the device, eager the reference; auto = compiled",
        choices=("auto", "compiled", "eager"),
    )
    precision: str = parameter(
        "auto",
        "what the networks multiply in; auto = bf16 where that is faster; the eager engine takes fp32 alone",
        choices=("auto", "fp32", "bf16"),
    )
    tune: bool = parameter(
        True, "measure at start what is fastest on this machine, a few seconds once; false = the usual choices"
    )
    depth_confidence: float = parameter(
        0.0,
        "part of the points that must be confident to stop early, such as 0.95; -1 = never stop; "
        "0 = as the weights were made for",
        minimum=-1,
        maximum=1,
    )
    width_confidence: float = parameter(
        0.0,
        "points of matchability under 1 minus this are pruned, such as 0.99; -1 = never prune; "
        "0 = as the weights were made for",
        minimum=-1,
        maximum=1,
    )
    filter_threshold: float = parameter(
        0.0, "smallest score of a match; 0 = as the weights were made for", minimum=0, maximum=1, live=True
    )

    def __post_init__(self) -> None:
        schema.check(self, "matcher.")


@dataclass(frozen=True)
class KeyframeConfig:
    """When a frame becomes a keyframe, which keyframe a frame is matched with, how many are kept."""

    max_count: int = parameter(20, "keyframes kept for each camera", minimum=1, maximum=10000, live=True)
    max_mb: float = parameter(256.0, "memory that the keyframes of a camera may hold, MB", minimum=0.1, live=True)
    min_inlier_ratio: float = parameter(
        0.15,
        "insert when fewer than this part of the keyframe's keypoints are inliers",
        minimum=0,
        maximum=1,
        live=True,
    )
    max_parallax_deg: float = parameter(
        8.0, "insert when the median parallax exceeds this, degrees", minimum=0, maximum=180, live=True
    )
    max_rotation_deg: float = parameter(
        15.0, "insert when the rotation exceeds this, degrees", minimum=0, maximum=180, live=True
    )
    max_age_s: float = parameter(0.0, "insert when the keyframe is older than this, s; 0 = never", minimum=0, live=True)
    min_inliers: int = parameter(
        30, "insert when fewer inliers than this are left: tracking is about to be lost", minimum=0, live=True
    )
    reference: str = parameter(
        "last",
        "the keyframe that a frame is matched with: the last, or the best overlapping",
        choices=("last", "overlap"),
        live=True,
    )

    def __post_init__(self) -> None:
        schema.check(self, "keyframe.")


@dataclass(frozen=True)
class GeometryConfig:
    """How homography and relative pose are estimated and when they count as valid."""

    h_threshold_px: float = parameter(2.0, "inlier threshold of the homography, pixels", minimum=0.01, live=True)
    e_threshold_px: float = parameter(1.0, "inlier threshold of the essential matrix, pixels", minimum=0.01, live=True)
    pnp_threshold_px: float = parameter(2.0, "inlier threshold of the pose from depth, pixels", minimum=0.01, live=True)
    confidence: float = parameter(
        0.9999, "confidence of the robust estimation", minimum=0.5, maximum=0.999999, live=True
    )
    max_iterations: int = parameter(
        2000, "most iterations of the robust estimation", minimum=1, maximum=100000, live=True
    )
    min_inliers: int = parameter(15, "fewest inliers of a valid model", minimum=4, live=True)
    max_ratio_h: float = parameter(
        0.45,
        "homography rather than essential matrix where score_h / (score_h + score_e) exceeds this",
        minimum=0,
        maximum=1,
        live=True,
    )
    min_parallax_deg: float = parameter(
        0.4,
        "median parallax under which the translation direction is not observable, degrees",
        minimum=0,
        live=True,
    )
    max_direction_std_deg: float = parameter(
        3.0,
        "standard deviation of the translation direction, by the covariance, over which it is not observable, degrees",
        minimum=0,
        maximum=180,
        live=True,
    )

    def __post_init__(self) -> None:
        schema.check(self, "geometry.")


@dataclass(frozen=True)
class NodeConfig:
    """Everything that the node can be told; its groups serve the other programs as well."""

    cameras: tuple[str, ...] = parameter(("camera",), "names of the cameras; each is a topic prefix")
    autostart: bool = parameter(True, "configure and activate without waiting for a lifecycle manager")
    transport: str = parameter("raw", "image topics: raw, or compressed", choices=("raw", "compressed"))
    reliability: str = parameter(
        "best_effort",
        "of the image topics; reliable loses no image on its way, and takes none from best-effort cameras",
        choices=("best_effort", "reliable"),
    )
    rectified: bool = parameter(False, "images are rectified: take P of CameraInfo, not K and D")
    depth: bool = parameter(False, "subscribe to registered depth; gives translation in metres")
    camera_info_timeout_s: float = parameter(
        2.0,
        "time after the first image without CameraInfo at which the camera counts as uncalibrated, s",
        minimum=0,
    )
    publish_tf: bool = parameter(False, "broadcast the relative pose as keyframe -> camera transform; needs tf2_ros")
    status_period_s: float = parameter(1.0, "period of status and diagnostics, s", minimum=0.01)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    keyframe: KeyframeConfig = field(default_factory=KeyframeConfig)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)

    def __post_init__(self) -> None:
        schema.check(self)
        if not self.cameras or len(set(self.cameras)) != len(self.cameras) or not all(self.cameras):
            raise ConfigurationError(f"cameras: got {list(self.cameras)}, wanted one or more different names")
