# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The keyframes of one camera: which frames become one, which one a frame is matched with, which ones go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import KeyframeConfig
from lightmatch_ros.core.tracks import Tracks
from lightmatch_ros.core.types import ByteArray, Features, FloatArray

NANOSECONDS = 1e-9


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A frame that later frames are matched with.

    Attributes:
        frame_id: the camera's frame counter.
        stamp_ns: time of the image, ns.
        frame: name of the optical frame.
        features: of the image.
        tracks: of the features.
        image: (H, W) or (H, W, 3) uint8, for pictures of the matches.
        camera: calibration, None where unknown.
        depth: (H, W) float32, metres, registered to the image; None where there is none.
        engine_bytes: memory that the matcher's engine keeps for the features, bytes.
    """

    frame_id: int
    stamp_ns: int
    frame: str
    features: Features
    tracks: Tracks
    image: ByteArray
    camera: CameraModel | None = None
    depth: FloatArray | None = None
    engine_bytes: int = 0

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        depth = 0 if self.depth is None else self.depth.nbytes
        return self.features.nbytes + self.tracks.nbytes + self.image.nbytes + depth + self.engine_bytes


class Reason(Enum):
    """Why a frame became a keyframe."""

    FIRST = "first frame"
    TIME_JUMP = "time jumped back"
    FEW_INLIERS = "few inliers"
    INLIER_RATIO = "inlier ratio"
    PARALLAX = "parallax"
    ROTATION = "rotation"
    AGE = "age"


@dataclass(frozen=True)
class Observation:
    """What matching a frame with a keyframe told about the two.

    Attributes:
        num_inliers: of the selected model.
        num_keypoints: of the current frame.
        num_reference_keypoints: of the keyframe.
        median_parallax_deg: NaN where unknown.
        rotation_deg: NaN where unknown.
        age_s: current stamp minus the keyframe's.
    """

    num_inliers: int
    num_keypoints: int
    num_reference_keypoints: int
    median_parallax_deg: float
    rotation_deg: float
    age_s: float


def insertion_reason(seen: Observation, config: KeyframeConfig) -> Reason | None:
    """Decides whether a matched frame becomes a keyframe; None if not.

    A frame with too few keypoints to be matched later never does: a covered lens must not push good keyframes out.
    """
    if seen.num_keypoints < max(config.min_inliers, 1):
        return None
    rules = {
        Reason.TIME_JUMP: seen.age_s < 0,
        Reason.FEW_INLIERS: seen.num_inliers < config.min_inliers,
        Reason.INLIER_RATIO: seen.num_inliers < config.min_inlier_ratio * seen.num_reference_keypoints,
        Reason.PARALLAX: seen.median_parallax_deg > config.max_parallax_deg,
        Reason.ROTATION: seen.rotation_deg > config.max_rotation_deg,
        Reason.AGE: 0 < config.max_age_s < seen.age_s,
    }
    return next((reason for reason, holds in rules.items() if holds), None)


class KeyframeCache:
    """Keyframes of one camera, bounded by count and by bytes. Not thread-safe.

    The keyframe that has not served as a reference for the longest goes first. The newest always stays, also where
    it alone is over the bound.
    """

    def __init__(self) -> None:
        self._keyframes: dict[int, Keyframe] = {}  # by frame_id, least recently used first
        self._newest: Keyframe | None = None

    def __len__(self) -> int:
        return len(self._keyframes)

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return sum(keyframe.nbytes for keyframe in self._keyframes.values())

    @property
    def frame_ids(self) -> list[int]:
        """Of the keyframes held, least recently used first."""
        return list(self._keyframes)

    def insert(self, keyframe: Keyframe, config: KeyframeConfig) -> list[int]:
        """Adds a keyframe; returns the frame ids of those evicted for it, in the order of eviction."""
        self._keyframes[keyframe.frame_id] = self._newest = keyframe
        evicted = []
        while len(self) > 1 and (len(self) > config.max_count or self.nbytes > config.max_mb * 1e6):
            oldest = next(iter(self._keyframes))
            del self._keyframes[oldest]
            evicted.append(oldest)
        return evicted

    def reference(self, recent: Tracks | None, config: KeyframeConfig) -> Keyframe | None:
        """Selects the keyframe to match the next frame with, as `candidate` does, and counts it as used."""
        chosen = self.candidate(recent, config)
        if chosen is not None:
            self._keyframes[chosen.frame_id] = self._keyframes.pop(chosen.frame_id)
        return chosen

    def candidate(self, recent: Tracks | None, config: KeyframeConfig) -> Keyframe | None:
        """Returns the keyframe that would be selected; None while the cache is empty.

        Args:
            recent: tracks seen in the frame before. With the rule "overlap" the keyframe that shares most of them
                is taken; without shared tracks the newest.
            config: holds the rule.
        """
        if self._newest is None or config.reference != "overlap" or recent is None or not len(recent):
            return self._newest
        shared = {k.frame_id: int(np.isin(k.tracks.ids, recent.ids).sum()) for k in self._keyframes.values()}
        best = max(shared, key=lambda frame_id: (shared[frame_id], frame_id))
        return self._keyframes[best] if shared[best] else self._newest
