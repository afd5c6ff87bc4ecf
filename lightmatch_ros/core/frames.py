# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What goes into the pipeline and what comes out, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.geometry import TwoView
from lightmatch_ros.core.keyframes import Keyframe, Reason
from lightmatch_ros.core.tracks import Tracks
from lightmatch_ros.core.types import ByteArray, Features, FloatArray, Matches


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a camera with what belongs to it.

    Attributes:
        stamp_ns: time of the image, ns.
        frame: name of the optical frame.
        image: (H, W) or (H, W, 3) BGR, uint8.
        camera: calibration, None where unknown.
        depth: (H, W) float32, metres, registered to the image; None where there is none.
    """

    stamp_ns: int
    frame: str
    image: ByteArray
    camera: CameraModel | None = None
    depth: FloatArray | None = None


@dataclass(frozen=True)
class Timing:
    """Wall time of the stages, ms."""

    extract_ms: float = 0.0
    match_ms: float = 0.0
    geometry_ms: float = 0.0


@dataclass(frozen=True, eq=False)
class Pairing:
    """A frame matched with a keyframe.

    Attributes:
        keyframe: image 0.
        matches: image 0 = keyframe, image 1 = the frame.
        two_view: homography and pose; inlier bits of the matches.
        tracks: of the matches.
    """

    keyframe: Keyframe
    matches: Matches
    two_view: TwoView
    tracks: Tracks


@dataclass(frozen=True)
class Insertion:
    """A keyframe was inserted.

    Attributes:
        reason: why.
        evicted: frame ids of those that went for it.
        cache_count: keyframes held now.
        cache_bytes: memory that they hold, bytes.
    """

    reason: Reason
    evicted: tuple[int, ...]
    cache_count: int
    cache_bytes: int


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What one frame gave.

    Attributes:
        frame_id: the camera's frame counter, from 1, never reused.
        features: of the frame.
        pairing: None for the first frame.
        insertion: None where the frame did not become a keyframe.
        timing: of the stages.
    """

    frame_id: int
    features: Features
    pairing: Pairing | None
    insertion: Insertion | None
    timing: Timing
