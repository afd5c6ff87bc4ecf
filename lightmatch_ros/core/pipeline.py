# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The main job, frame by frame: extract, select a keyframe, match, estimate geometry, decide on a new keyframe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig
from lightmatch_ros.core.errors import DeviceMemoryError
from lightmatch_ros.core.extraction import Extracted
from lightmatch_ros.core.frames import Frame, FrameResult, Insertion, Pairing, Timing
from lightmatch_ros.core.geometry import estimate_two_view
from lightmatch_ros.core.keyframes import (
    NANOSECONDS,
    Keyframe,
    KeyframeCache,
    Observation,
    Reason,
    insertion_reason,
)
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.tracks import TrackBook, Tracks
from lightmatch_ros.core.types import Features, Matches


@dataclass(frozen=True, eq=False)
class Begun:
    """A match that began before it was its frame's turn.

    Attributes:
        features: of the frame.
        keyframe: that it is matched with; it counts only if it is still the one when the turn comes.
        collect: waits for the matches.
    """

    features: Features
    keyframe: Keyframe
    collect: Callable[[], Matches]


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

    def begin(self, extracted: Extracted) -> Begun | None:
        """Begins the match of the frame whose turn is next: a device works on it while the host does geometry.

        Returns:
            None where there is no keyframe yet or no memory: the frame's turn will tell.
        """
        keyframe = self.cache.candidate(self._recent, self.keyframe)
        if keyframe is None:
            return None
        features = self.matching.take(extracted)
        try:
            return Begun(features, keyframe, self.matching.matcher.start(keyframe.features, features))
        except DeviceMemoryError:
            return None

    def match(
        self,
        frame: Frame,
        extracted: Extracted,
        begun: Begun | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> FrameResult:
        """Matches a frame with the best keyframe and makes it one where the rules say so.

        Args:
            frame: to be matched; frames come in the order of their time.
            extracted: from its image, on whatever thread.
            begun: of this frame; without it the same comes out.
            meanwhile: called when the matches are there and the geometry is not: the time to begin the next.

        Raises:
            DeviceMemoryError: no memory for so many keypoints; later frames take fewer, the keyframes are forgotten.
        """
        frame_id = self._next_frame_id
        self._next_frame_id += 1
        started = time.perf_counter()
        keyframe = self.cache.reference(self._recent, self.keyframe)
        if begun is not None and begun.keyframe is not keyframe:
            begun = None
        features = self.matching.take(extracted) if begun is None else begun.features
        if keyframe is None:
            insertion = self._insert_first(frame_id, frame, features)
            return FrameResult(frame_id, features, None, insertion, Timing(extracted.extract_ms))
        matches = self._match(keyframe, features, begun)
        match_ms = _ms(started)
        meanwhile()
        started = time.perf_counter()
        pairing = self._pair(keyframe, matches, frame, features.image_size)
        timing = Timing(extracted.extract_ms, match_ms, _ms(started))
        insertion = self._consider(frame_id, frame, features, pairing)
        return FrameResult(frame_id, features, pairing, insertion, timing)

    def _match(self, keyframe: Keyframe, features: Features, begun: Begun | None) -> Matches:
        try:
            return begun.collect() if begun else self.matching.matcher.match(keyframe.features, features)
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


def _ms(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
