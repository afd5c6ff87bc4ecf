# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The matcher: what it keeps of an image, and whose settings count."""

import gc
import itertools

import pytest
import torch

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.errors import DeviceMemoryError
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.frames import Frame
from lightmatch_ros.core.matcher import create_matcher
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import CameraPipeline
from lightmatch_ros.simulation.sources import RoomSource

CONFIG = MatcherConfig(tune=False, max_keypoints=128)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def features():
    extractor = create_extractor(CONFIG, CPU)
    images = [frame.image for frame in itertools.islice(RoomSource((320, 240), 10), 3)]
    return [extractor.extract(image) for image in images]


def test_an_image_is_prepared_once(features, monkeypatch):
    matcher = create_matcher(CONFIG, CPU)
    prepared, prepare = [], matcher.engine.prepare
    monkeypatch.setattr(matcher.engine, "prepare", lambda images: prepared.append(len(images)) or prepare(images))
    alone = matcher.match(features[0], features[1])
    matcher.match(features[0], features[2])
    again = matcher.match(features[0], features[1])
    assert prepared == [2, 1], "both at once, then the new one"
    assert (alone.indices0 == again.indices0).all() and (alone.scores == again.scores).all()


def test_what_is_kept_goes_with_the_features(features):
    matcher = create_matcher(CONFIG, CPU)
    passing = create_extractor(CONFIG, CPU).extract(next(iter(RoomSource((320, 240), 10))).image)
    matcher.match(features[0], passing)
    # States of 96 float32 and sines and cosines of 48 channels in 2 or 4 bytes.
    assert len(passing) * 96 * 6 <= matcher.kept_bytes(passing) <= len(passing) * 96 * 8
    assert matcher.kept_bytes(features[1]) == 0
    del passing
    gc.collect()
    assert len(matcher._prepared) == 1


def test_zero_is_the_threshold_of_the_weights(features):
    matcher = create_matcher(CONFIG, CPU)
    assert matcher.filter_threshold == 0 < matcher.default_threshold
    default = matcher.match(features[0], features[1])
    matcher.filter_threshold = matcher.default_threshold
    assert len(matcher.match(features[0], features[1])) == len(default)
    matcher.filter_threshold = 0.9
    strict = matcher.match(features[0], features[1])
    assert len(strict) < len(default) and strict.scores.min() >= 0.9


def test_where_device_memory_runs_out_later_frames_take_fewer_keypoints(monkeypatch):
    matching = Matching(CONFIG)
    pipeline = CameraPipeline(matching, KeyframeConfig(), GeometryConfig())
    frames = [
        Frame(i * 10**8, "camera", frame.image)
        for i, frame in enumerate(itertools.islice(RoomSource((320, 240), 10), 4))
    ]
    pipeline.process(frames[0])
    match = matching.matcher.match

    def no_room(features0, features1):
        if len(features1) > 70:
            raise DeviceMemoryError("out of device memory")
        return match(features0, features1)

    monkeypatch.setattr(matching.matcher, "match", no_room)
    with pytest.raises(DeviceMemoryError):
        pipeline.process(frames[1])
    assert matching.max_keypoints == 64 and len(pipeline.cache) == 0
    assert len(pipeline.process(frames[2]).features) == 64
    assert len(pipeline.process(frames[3]).pairing.matches) > 10


def test_an_engine_s_limit_is_kept(monkeypatch):
    matching = Matching(CONFIG)
    monkeypatch.setattr(matching.matcher.engine, "max_keypoints", 50)
    matching.warm_up((320, 240))
    features = matching.extract(next(iter(RoomSource((320, 240), 10))).image)
    assert len(features) == len(features.descriptors) == len(features.scales) == 50
