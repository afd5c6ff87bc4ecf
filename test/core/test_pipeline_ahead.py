# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A match that begins before its frame's turn changes nothing but the time."""

from types import SimpleNamespace

import numpy as np
import pytest

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.errors import DeviceMemoryError
from lightmatch_ros.core.frames import Frame
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import CameraPipeline
from lightmatch_ros.simulation.sources import RoomSource

RULES = KeyframeConfig(reference="overlap", max_age_s=0.5)  # a keyframe every fifth frame


@pytest.fixture(scope="module")
def matching():
    return Matching(MatcherConfig(max_keypoints=200, tune=False))


@pytest.fixture(scope="module")
def frames(matching):
    source = RoomSource((320, 240), 10)
    images = [frame.image for _, frame in zip(range(14), source)]
    images += images[-2::-1]  # and back, so that an older keyframe fits again
    taken = [Frame(k * 10**8, "camera", image, source.calibration) for k, image in enumerate(images)]
    return [(frame, matching.extract_ahead(frame.image)) for frame in taken]


def inserted(result):
    """Why a frame became a keyframe and what went for it."""
    return result.insertion and (result.insertion.reason, result.insertion.evicted, result.insertion.cache_count)


def test_results_are_those_of_one_frame_after_the_other(matching, frames):
    in_turn, ahead = (CameraPipeline(matching, RULES, GeometryConfig()) for _ in range(2))
    wanted = [in_turn.match(*frame) for frame in frames]
    begun, used = None, []
    for k, (frame, extracted) in enumerate(frames):
        following: list = []

        def begin_next(k=k, following=following) -> None:
            following.extend(ahead.begin(later) for _, later in frames[k + 1 : k + 2])

        got, given = ahead.match(frame, extracted, begun, begin_next), begun
        (begun,) = following or (ahead.begin(frames[1][1]) if k == 0 else None,)
        if got.pairing:
            used.append(given is not None and given.keyframe is got.pairing.keyframe)
            np.testing.assert_array_equal(got.pairing.matches.indices1, wanted[k].pairing.matches.indices1)
            np.testing.assert_array_equal(
                got.pairing.two_view.pose.T_0_from_1, wanted[k].pairing.two_view.pose.T_0_from_1
            )
            assert got.pairing.keyframe.frame_id == wanted[k].pairing.keyframe.frame_id
        assert inserted(got) == inserted(wanted[k])
    assert used.count(True) >= 15
    assert used.count(False) >= 3, "where a keyframe comes between, the match is done again"


def test_nothing_begins_without_a_keyframe(matching, frames):
    assert CameraPipeline(matching, RULES, GeometryConfig()).begin(frames[0][1]) is None


def test_lack_of_memory_shows_when_the_turn_comes(matching, frames, monkeypatch):
    pipeline = CameraPipeline(matching, RULES, GeometryConfig())
    pipeline.match(*frames[0])

    def no_memory(*_):
        raise DeviceMemoryError("no memory")

    networks = SimpleNamespace(**vars(matching))
    networks.take, networks.take_fewer = matching.take, lambda count: None
    networks.matcher = SimpleNamespace(match=no_memory, start=no_memory)
    monkeypatch.setattr(pipeline, "matching", networks)
    assert pipeline.begin(frames[1][1]) is None
    with pytest.raises(DeviceMemoryError):
        pipeline.match(*frames[1])
    assert len(pipeline.cache) == 0
