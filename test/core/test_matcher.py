# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The matcher: what it keeps of an image, and whose settings count."""

import gc
import itertools

import pytest
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.matcher import create_matcher
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
    assert prepared == [1, 1, 1]
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
