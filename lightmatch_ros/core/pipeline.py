# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The main job, frame by frame: extract, select a keyframe, match, estimate geometry, decide on a new keyframe."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

import numpy as np

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.device import choose_device, limit_threads
from lightmatch_ros.core.errors import DeviceMemoryError
from lightmatch_ros.core.extraction import Extracted, SharedExtractor, overlaps, usable_cores
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.geometry import TwoView, estimate_two_view
from lightmatch_ros.core.image import load_mask
from lightmatch_ros.core.keyframes import (
    NANOSECONDS,
    Keyframe,
    KeyframeCache,
    Observation,
    Reason,
    insertion_reason,
)
from lightmatch_ros.core.matcher import FeatureMatcher, create_matcher
from lightmatch_ros.core.tracks import TrackBook, Tracks
from lightmatch_ros.core.types import ByteArray, Features, FloatArray, Matches

log = logging.getLogger(__name__)


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


class Matching:
    """The networks that all cameras share. One thread builds and runs it; `extract_ahead` may be on any other.

    Attributes:
        overlap: an image is better extracted while the one before it is matched.

    Raises:
        ConfigurationError: a device, weights or mask that cannot be had.
    """

    def __init__(self, config: MatcherConfig) -> None:
        self.config = config
        self.device = choose_device(config.device)
        limit_threads(config.threads)
        self.mask = load_mask(config.mask) if config.mask else None
        self.overlap = overlaps(config, self.device, usable_cores())
        self.extractor = SharedExtractor(create_extractor(config, self.device), self.device)
        self.matcher: FeatureMatcher = create_matcher(config, self.device)
        self.max_keypoints = config.max_keypoints

    def warm_up(self, size: tuple[int, int] = (640, 480)) -> float:
        """Runs the extractor on noise of (width, height) and the engine; returns the time that it took, s."""
        start = time.perf_counter()
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0]), np.uint8)
        self.extractor.extract(noise)
        self.matcher.warm_up([self.config.max_keypoints])
        if self.matcher.engine.max_keypoints is not None:
            self.take_fewer(self.matcher.engine.max_keypoints)
        return time.perf_counter() - start

    def extract(self, image: ByteArray) -> Features:
        """Extracts the features of an image, outside the mask's ignored regions.

        Raises:
            ImageError: an image that cannot be used.
        """
        return self.take(self.extract_ahead(image))

    def extract_ahead(self, image: ByteArray) -> Extracted:
        """Extracts on any thread what `take` hands to the one that matches.

        Raises:
            ImageError: an image that cannot be used.
        """
        return self.extractor.extract(image, self.mask)

    def take(self, extracted: Extracted) -> Features:
        """Returns the best features, for use on this thread."""
        return extracted.take().best(self.max_keypoints)

    def take_fewer(self, count: int) -> None:
        """Keeps at most so many keypoints of an image from now on, since the device has no memory for more."""
        self.max_keypoints = max(1, min(self.max_keypoints, count))
        log.warning("at most %d keypoints an image from now on: no device memory for more", self.max_keypoints)


class CameraPipeline:
    """Matches the frames of one camera with its keyframes. Not thread-safe.

    Args:
        matching: the networks; may be shared with other cameras.
        keyframe, geometry: settings; may be replaced between frames.
    """

    def __init__(self, matching: Matching, keyframe: KeyframeConfig, geometry: GeometryConfig) -> None:
        self.matching = matching
        self.keyframe = keyframe
        self.geometry = geometry
        self._next_frame_id = 1
        self._track_book = TrackBook()
        self.reset()

    def reset(self) -> None:
        """Forgets all keyframes; frame and track ids go on."""
        self.cache = KeyframeCache()
        self._recent: Tracks | None = None

    def process(self, frame: Frame) -> FrameResult:
        """Extracts and matches a frame.

        Raises:
            InputError: the frame cannot be used; nothing has changed.
            DeviceMemoryError: as `match`.
        """
        return self.match(frame, self.matching.extract_ahead(frame.image))

    def match(self, frame: Frame, extracted: Extracted) -> FrameResult:
        """Matches a frame with the best keyframe and makes it one where the rules say so.

        Args:
            frame: to be matched; frames come in the order of their time.
            extracted: from its image, on whatever thread.

        Raises:
            DeviceMemoryError: no memory for so many keypoints; later frames take fewer, the keyframes are forgotten.
        """
        frame_id = self._next_frame_id
        self._next_frame_id += 1
        features = self.matching.take(extracted)
        started = time.perf_counter()
        keyframe = self.cache.reference(self._recent, self.keyframe)
        if keyframe is None:
            insertion = self._insert_first(frame_id, frame, features)
            return FrameResult(frame_id, features, None, insertion, Timing(extracted.extract_ms))
        matches = self._match(keyframe, features)
        matched = time.perf_counter()
        pairing = self._pair(keyframe, matches, frame, features.image_size)
        timing = Timing(extracted.extract_ms, _ms(started, matched), _ms(matched, time.perf_counter()))
        insertion = self._consider(frame_id, frame, features, pairing)
        return FrameResult(frame_id, features, pairing, insertion, timing)

    def _match(self, keyframe: Keyframe, features: Features) -> Matches:
        try:
            return self.matching.matcher.match(keyframe.features, features)
        except DeviceMemoryError:
            self.matching.take_fewer(max(len(features), len(keyframe.features)) // 2)
            self.reset()  # keyframes of more keypoints would fail again
            raise

    def _pair(self, keyframe: Keyframe, matches: Matches, frame: Frame, size: tuple[int, int]) -> Pairing:
        size0 = keyframe.features.image_size
        camera0 = keyframe.camera
        if camera0 is None and size0 == size:  # the keyframe was taken before the calibration came
            camera0 = frame.camera
        two_view = estimate_two_view(
            matches, camera0, frame.camera, self.geometry, depth0=keyframe.depth, size0=size0, size1=size
        )
        tracks = keyframe.tracks.see(matches.indices0)
        self._recent = Tracks(tracks.ids[two_view.selected], tracks.ages[two_view.selected])
        return Pairing(keyframe, matches, two_view, tracks)

    def _insert_first(self, frame_id: int, frame: Frame, features: Features) -> Insertion | None:
        if len(features) < max(self.keyframe.min_inliers, 1):
            return None
        return self._insert(frame_id, frame, features, self._track_book.begin(len(features)), Reason.FIRST)

    def _consider(self, frame_id: int, frame: Frame, features: Features, pairing: Pairing) -> Insertion | None:
        reason = insertion_reason(_observation(frame, pairing), self.keyframe)
        if reason is None:
            return None
        tracks = self._track_book.inherit(
            len(features), pairing.tracks, pairing.matches.indices1, pairing.two_view.selected
        )
        return self._insert(frame_id, frame, features, tracks, reason)

    def _insert(self, frame_id: int, frame: Frame, features: Features, tracks: Tracks, reason: Reason) -> Insertion:
        keyframe = Keyframe(
            frame_id,
            frame.stamp_ns,
            frame.frame,
            features,
            tracks,
            frame.image,
            frame.camera,
            frame.depth,
            self.matching.matcher.kept_bytes(features),
        )
        evicted = self.cache.insert(keyframe, self.keyframe)
        return Insertion(reason, tuple(evicted), len(self.cache), self.cache.nbytes)


def _observation(frame: Frame, pairing: Pairing) -> Observation:
    pose = pairing.two_view.pose
    return Observation(
        num_inliers=int(pairing.two_view.selected.sum()),
        num_keypoints=pairing.matches.num_keypoints1,
        num_reference_keypoints=pairing.matches.num_keypoints0,
        median_parallax_deg=pose.median_parallax_deg if pose.valid else math.nan,
        rotation_deg=pose.rotation_deg if pose.rotation_valid else math.nan,
        age_s=(frame.stamp_ns - pairing.keyframe.stamp_ns) * NANOSECONDS,
    )


def _ms(start: float, end: float) -> float:
    return (end - start) * 1e3
