# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""When extraction overlaps, one image at a time for many threads, and what the matching thread takes over."""

import threading

import numpy as np
import pytest
import torch

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.errors import DeviceLostError, DeviceMemoryError, ImageError
from lightmatch_ros.core.extraction import SharedExtractor, overlaps, usable_cores
from lightmatch_ros.core.frames import Frame
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import CameraPipeline
from lightmatch_ros.simulation.sources import RoomSource

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
LIMIT_S = 60.0


@pytest.mark.parametrize(
    ("settings", "device", "cores", "wanted"),
    [
        ({}, CPU, 2, False),
        ({}, CPU, 3, False),
        ({}, CPU, 4, True),
        ({"threads": 1}, CPU, 16, False),
        ({"threads": 4}, CPU, 16, True),
        ({}, CUDA, 2, True),
        ({"threads": 1}, CUDA, 1, True),
        ({"overlap": "always", "threads": 1}, CPU, 1, True),
        ({"overlap": "never"}, CUDA, 16, False),
    ],
)
def test_when_it_overlaps(settings, device, cores, wanted):
    assert overlaps(MatcherConfig(**settings), device, cores) is wanted


def test_cores():
    assert 1 <= usable_cores() <= 4096


class OneAtATime:
    """An extractor that notices a second thread inside."""

    name, descriptor_dim = "fake", 1

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0

    def extract(self, image, mask=None):
        self.inside += 1
        self.most = max(self.most, self.inside)
        threading.Event().wait(0.01)  # another thread that could come in would
        self.inside -= 1
        if image is None:
            raise ImageError("no image")
        return int(image[0, 0])


def test_threads_take_turns():
    fake = OneAtATime()
    shared = SharedExtractor(fake, CPU)
    got: list[int] = []

    def extract(value: int) -> None:
        got.extend(shared.extract(np.full((1, 1), value, np.uint8)).take() for _ in range(3))

    threads = [threading.Thread(target=extract, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(got) == sorted(list(range(4)) * 3)
    assert fake.most == 1


def test_an_error_lets_the_next_one_in():
    shared = SharedExtractor(OneAtATime(), CPU)
    with pytest.raises(ImageError):
        shared.extract(None)
    extracted = shared.extract(np.full((1, 1), 7, np.uint8))
    assert (extracted.take(), extracted.done) == (7, None)
    assert extracted.extract_ms >= 10


def test_frames_extracted_ahead_give_what_they_give_in_turn():
    frames = [Frame(k * 10**8, "camera", f.image) for k, f in zip(range(4), RoomSource((320, 240), 10), strict=False)]
    matching = Matching(MatcherConfig(tune=False, max_keypoints=128))
    in_turn, ahead = (CameraPipeline(matching, KeyframeConfig(), GeometryConfig()) for _ in range(2))
    extracted = [matching.extract_ahead(frame.image) for frame in frames]
    for frame, features in zip(frames, extracted, strict=True):
        wanted, got = in_turn.process(frame), ahead.match(frame, features)
        assert got.frame_id == wanted.frame_id
        np.testing.assert_array_equal(got.features.keypoints, wanted.features.keypoints)
        if wanted.pairing is not None:
            np.testing.assert_array_equal(got.pairing.matches.indices0, wanted.pairing.matches.indices0)
            np.testing.assert_array_equal(got.pairing.tracks.ids, wanted.pairing.tracks.ids)


def test_a_lower_limit_counts_for_what_was_extracted_before():
    matching = Matching(MatcherConfig(tune=False, max_keypoints=128))
    extracted = matching.extract_ahead(next(iter(RoomSource((320, 240), 10))).image)
    matching.take_fewer(50)
    assert len(matching.take(extracted)) == 50


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), DeviceMemoryError),
        (RuntimeError("CUDA error: unspecified launch failure"), DeviceLostError),
        (RuntimeError("a mistake of ours"), RuntimeError),
    ],
)
def test_what_a_device_says_comes_as_ours(raised, wanted):
    class Fails(OneAtATime):
        def extract(self, image, mask=None):
            raise raised

    with pytest.raises(wanted) as caught:
        SharedExtractor(Fails(), CPU).extract(np.zeros((1, 1), np.uint8))
    assert type(caught.value) is wanted
