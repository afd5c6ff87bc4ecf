# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Tracks: one scene point under one id through keyframes and frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightmatch_ros.core.types import BoolArray, IndexArray

MAX_AGE = np.iinfo(np.uint16).max


@dataclass(eq=False)
class Tracks:
    """Tracks of a set of points; those of a keyframe grow older as frames see them.

    Attributes:
        ids: (M,) uint64, unique for a camera, never reused.
        ages: (M,) uint16, frames in which the point was seen after its first; stops at 65535.
    """

    ids: NDArray[np.uint64]
    ages: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self.ids.nbytes + self.ages.nbytes

    def see(self, indices: IndexArray) -> Tracks:
        """Records that a frame saw some of the points, each once; returns their tracks."""
        self.ages[indices] += (self.ages[indices] < MAX_AGE).astype(np.uint16)
        return Tracks(self.ids[indices], self.ages[indices])


class TrackBook:
    """Gives out the track ids of one camera. Not thread-safe."""

    def __init__(self) -> None:
        self._next_id = 0

    def begin(self, count: int) -> Tracks:
        """Returns new tracks for a number of points."""
        ids = np.arange(self._next_id, self._next_id + count, dtype=np.uint64)
        self._next_id += count
        return Tracks(ids, np.zeros(count, np.uint16))

    def inherit(self, count: int, seen: Tracks, indices1: IndexArray, inliers: BoolArray) -> Tracks:
        """Returns the tracks of all points of a new keyframe: inlier matches keep theirs, the others begin one.

        Args:
            count: keypoints of the new keyframe.
            seen: tracks of its K matches.
            indices1: (K,) keypoints that they belong to.
            inliers: (K,) matches that geometry confirms.
        """
        tracks = self.begin(count)
        tracks.ids[indices1[inliers]] = seen.ids[inliers]
        tracks.ages[indices1[inliers]] = seen.ages[inliers]
        return tracks
