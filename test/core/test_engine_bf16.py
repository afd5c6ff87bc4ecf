# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""bfloat16 against the float32 reference with real weights: what it may cost is counted in matches.

The tolerance: of the reference's matches that score more than 0.02 above the threshold, 99 % are kept over all
pairs, and 97 % in each: LighterGlue loses 6 of 288 on the 40 degrees of graf 1 and 3, the bundled weights 1 of 400.
"""

import dataclasses
import itertools
from pathlib import Path

import cv2
import pytest
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.matcher import create_matcher
from lightmatch_ros.core.types import ByteArray
from lightmatch_ros.simulation.sources import RoomSource

CPU = torch.device("cpu")
MARGIN = 0.02
PICTURES = [
    ("fountain/0004.jpg", "fountain/0005.jpg"),
    ("fountain/0004.jpg", "fountain/0007.jpg"),
    ("oxford/graf/1.jpg", "oxford/graf/2.jpg"),
    ("oxford/graf/1.jpg", "oxford/graf/3.jpg"),
    ("oxford/leuven/1.jpg", "oxford/leuven/4.jpg"),
    ("kitti06/image_l/000000.jpg", "kitti06/image_l/000002.jpg"),
]


def kept(config: MatcherConfig, pairs: list[tuple[ByteArray, ByteArray]]) -> tuple[list[float], float]:
    """Part of the strong matches that bfloat16 keeps, for each pair and over all."""
    extractor = create_extractor(config, CPU)
    reference = create_matcher(dataclasses.replace(config, engine="eager"), CPU)
    low = create_matcher(dataclasses.replace(config, engine="compiled", precision="bf16"), CPU)
    found, strong = [], []
    for images in pairs:
        features = [extractor.extract(image) for image in images]
        wanted, got = reference.match(*features), low.match(*features)
        got_pairs = set(zip(got.indices0.tolist(), got.indices1.tolist(), strict=True))
        sure = wanted.scores > reference.default_threshold + MARGIN
        sure_pairs = list(zip(wanted.indices0[sure].tolist(), wanted.indices1[sure].tolist(), strict=True))
        found.append(sum(pair in got_pairs for pair in sure_pairs))
        strong.append(len(sure_pairs))
    assert min(strong) >= 50, "the pairs of this test must match"
    return [f / s for f, s in zip(found, strong, strict=True)], sum(found) / sum(strong)


def pictures(shared_data: Path) -> list[tuple[ByteArray, ByteArray]]:
    return [tuple(cv2.imread(str(shared_data / name)) for name in names) for names in PICTURES]


@pytest.mark.parametrize("adaptive", [True, False])
def test_bundled_weights_on_the_rendered_room(adaptive):
    frames = [frame.image for frame in itertools.islice(RoomSource((640, 480), 10), 16)]
    off = {} if adaptive else {"depth_confidence": -1.0, "width_confidence": -1.0}
    each, together = kept(
        MatcherConfig(tune=False, max_keypoints=512, **off), [(frames[0], frames[5]), (frames[5], frames[15])]
    )
    assert together >= 0.99 and min(each) >= 0.97


@pytest.mark.parametrize("adaptive", [True, False])
def test_bundled_weights_on_photographs(shared_data, adaptive):
    off = {} if adaptive else {"depth_confidence": -1.0, "width_confidence": -1.0}
    each, together = kept(MatcherConfig(tune=False, **off), pictures(shared_data))
    assert together >= 0.99 and min(each) >= 0.97


def test_lighterglue_on_photographs(shared_data, shared_weights, monkeypatch):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    each, together = kept(MatcherConfig(features="xfeat", tune=False), pictures(shared_data))
    assert together >= 0.99 and min(each) >= 0.97
