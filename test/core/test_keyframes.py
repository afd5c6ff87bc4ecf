# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import math

import numpy as np
import pytest
import torch

from lightmatch_ros.core.config import KeyframeConfig
from lightmatch_ros.core.keyframes import Keyframe, KeyframeCache, Observation, Reason, insertion_reason
from lightmatch_ros.core.tracks import TrackBook, Tracks
from lightmatch_ros.core.types import Features

CONFIG = KeyframeConfig(
    min_inliers=30, min_inlier_ratio=0.2, max_parallax_deg=8.0, max_rotation_deg=15.0, max_age_s=2.0
)
GOOD = Observation(
    num_inliers=300,
    num_keypoints=500,
    num_reference_keypoints=500,
    median_parallax_deg=1.0,
    rotation_deg=2.0,
    age_s=0.5,
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"num_inliers": 29}, Reason.FEW_INLIERS),
        ({"num_inliers": 99}, Reason.INLIER_RATIO),
        ({"num_inliers": 100}, None),
        ({"median_parallax_deg": 8.1}, Reason.PARALLAX),
        ({"median_parallax_deg": math.nan, "rotation_deg": math.nan}, None),
        ({"rotation_deg": 15.1}, Reason.ROTATION),
        ({"age_s": 2.1}, Reason.AGE),
        ({"age_s": -0.1}, Reason.TIME_JUMP),
        ({"num_keypoints": 0, "num_inliers": 0}, None),
        ({"num_keypoints": 29, "num_inliers": 3}, None),
    ],
)
def test_each_rule_inserts_for_its_own_reason(change, reason):
    assert insertion_reason(dataclasses.replace(GOOD, **change), CONFIG) is reason


def test_no_age_limit_by_default():
    assert insertion_reason(dataclasses.replace(GOOD, age_s=1e9), KeyframeConfig()) is None


def keyframe(frame_id: int, ids: list[int] | None = None, side: int = 100) -> Keyframe:
    ids = [frame_id * 10 + k for k in range(3)] if ids is None else ids
    count = len(ids)
    features = Features(
        "sift",
        (side, side),
        np.zeros((count, 2), np.float32),
        np.ones(count, np.float32),
        torch.zeros(count, 8),
    )
    tracks = Tracks(np.array(ids, np.uint64), np.zeros(count, np.uint16))
    return Keyframe(frame_id, frame_id * 10**9, "camera", features, tracks, np.zeros((side, side), np.uint8))


def test_count_is_bounded_and_the_oldest_goes():
    cache, config = KeyframeCache(), KeyframeConfig(max_count=2)
    assert [cache.insert(keyframe(i), config) for i in range(1, 5)] == [[], [], [1], [2]]
    assert cache.frame_ids == [3, 4]


def test_bytes_are_bounded_and_the_newest_stays():
    cache, config = KeyframeCache(), KeyframeConfig(max_mb=0.1)
    size = keyframe(1, side=200).nbytes
    assert size == 200 * 200 + 3 * (8 + 4 + 8 * 4 + 8 + 2)
    for i in (1, 2):
        assert cache.insert(keyframe(i, side=200), config) == []
    assert cache.insert(keyframe(3, side=200), config) == [1]
    assert cache.nbytes == 2 * size
    assert cache.insert(keyframe(4, side=1000), config) == [2, 3]
    assert cache.frame_ids == [4]


def test_empty_cache_has_no_reference():
    assert KeyframeCache().reference(None, KeyframeConfig()) is None


def test_last_rule_takes_the_newest():
    cache = KeyframeCache()
    for i in (1, 2, 3):
        cache.insert(keyframe(i, [7, 8, 9] if i == 1 else None), CONFIG)
    recent = Tracks(np.array([7, 8, 9], np.uint64), np.zeros(3, np.uint16))
    assert cache.reference(recent, CONFIG).frame_id == 3


def test_overlap_rule_takes_the_keyframe_that_shares_most_tracks():
    config = KeyframeConfig(reference="overlap")
    cache = KeyframeCache()
    for i, ids in ((1, [1, 2, 3]), (2, [3, 4, 5]), (3, [5, 6, 7])):
        cache.insert(keyframe(i, ids), config)

    def chosen(*ids: int) -> int:
        return cache.reference(Tracks(np.array(ids, np.uint64), np.zeros(len(ids), np.uint16)), config).frame_id

    assert chosen(1, 2, 5) == 1
    assert chosen(3, 4) == 2
    assert chosen(5) == 3, "equally good: the newer one"
    assert chosen(99) == 3, "nothing shared: the newest"
    assert cache.reference(None, config).frame_id == 3


def test_the_least_recently_used_goes_first():
    config = KeyframeConfig(reference="overlap", max_count=2)
    cache = KeyframeCache()
    for i in (1, 2):
        cache.insert(keyframe(i), config)
    cache.reference(keyframe(1).tracks, config)
    assert cache.insert(keyframe(3), config) == [2]


def test_tracks_keep_their_ids_through_keyframes():
    book = TrackBook()
    first = book.begin(4)
    assert first.ids.tolist() == [0, 1, 2, 3]
    seen = first.see(np.array([1, 3]))
    assert (seen.ids.tolist(), seen.ages.tolist()) == ([1, 3], [1, 1])
    assert first.see(np.array([3])).ages.tolist() == [2]
    second = book.inherit(5, seen, np.array([4, 0]), np.array([True, False]))
    assert second.ids.tolist() == [4, 5, 6, 7, 1], "inliers keep their id, the others begin one, none is reused"
    assert second.ages.tolist() == [0, 0, 0, 0, 1]


def test_ages_stop_at_the_largest_number():
    tracks = Tracks(np.array([1], np.uint64), np.array([65535], np.uint16))
    assert tracks.see(np.array([0])).ages.tolist() == [65535]
