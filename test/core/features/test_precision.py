# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Networks in bfloat16 against float32: the same keypoints, hardly other descriptors and matches."""

import cv2
import numpy as np
import pytest
import torch
from extractor_scenes import assert_same, scene

from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.product import cpu_multiplies_bf16
from lightmatch_ros.simulation.sources import open_source

BUDGET = 512
# Below it kornia's matcher for XFeat accepts no match.
MIN_COSINE = 0.82

needs_bf16 = pytest.mark.skipif(not cpu_multiplies_bf16(), reason="the processor does not multiply bfloat16")


def room():
    frames = iter(open_source("room", size=(320, 256)))
    return [frame.image for index, frame in zip(range(16), frames, strict=False) if index in (0, 15)]


def photos(folder, names):
    return [cv2.imread(str(folder / name)) for name in names]


@pytest.fixture(
    params=[
        ("oxford/leuven", ("1.jpg", "4.jpg")),
        ("kitchen", ("frame-000000.color.jpg", "frame-000005.color.jpg")),
        ("fountain", ("0001.jpg", "0002.jpg")),
        None,
    ],
    ids=lambda which: which[0] if which else "room",
)
def images(request):
    """Two views of a place, of photographs where there are any."""
    if request.param is None:
        return room()
    folder, names = request.param
    return photos(request.getfixturevalue("shared_data") / folder, names)


def mutual(features0, features1):
    """Pairs of keypoints that are each other's nearest descriptors, as places in both images."""
    cosines = (features0.descriptors @ features1.descriptors.T).numpy()
    best0, best1 = cosines.argmax(axis=1), cosines.argmax(axis=0)
    index = np.flatnonzero((best1[best0] == np.arange(len(best0))) & (cosines.max(axis=1) > MIN_COSINE))
    return {(tuple(features0.keypoints[i]), tuple(features1.keypoints[best0[i]])) for i in index}


@needs_bf16
def test_keypoints_and_descriptors(build, images):
    """Measured: 98.6 % or more of the 512 best, cosines of 0.997 or more."""
    for image in images:
        wanted = build("xfeat", BUDGET).extract(image)
        got = build("xfeat", BUDGET, precision=Precision.BF16).extract(image)
        distances = np.linalg.norm(got.keypoints[:, None] - wanted.keypoints[None], axis=2)
        near = distances.min(axis=1) < 1
        assert len(got) == len(wanted) and near.mean() >= 0.95
        assert got.descriptors.dtype == torch.float32
        cosines = (got.descriptors * wanted.descriptors[distances.argmin(axis=1)]).sum(dim=1)
        assert cosines[torch.from_numpy(near)].min() > 0.99


@needs_bf16
def test_all_keypoints_are_at_the_same_places(build):
    """The head that finds them stays in float32; only the order by score may differ."""
    wanted, got = (build("xfeat", precision=precision).extract(scene()) for precision in Precision)
    assert {tuple(p) for p in got.keypoints} == {tuple(p) for p in wanted.keypoints}
    np.testing.assert_allclose(np.sort(got.scores), np.sort(wanted.scores), atol=0.02)


@needs_bf16
def test_matches(build, images):
    """Measured: 94 % or more of the matches are the same, and there are as many within 3 %."""
    pairs = []
    for precision in Precision:
        extractor = build("xfeat", BUDGET, precision=precision)
        pairs.append(mutual(*(extractor.extract(image) for image in images)))
    wanted, got = pairs
    assert len(wanted) > 50
    assert len(wanted & got) >= 0.9 * len(wanted)
    assert abs(len(got) - len(wanted)) <= 0.05 * len(wanted)


@pytest.mark.parametrize("name", ["sift", "aliked-t16"])
def test_others_have_one_precision(build, name):
    wanted, got = (build(name, precision=precision).extract(scene()) for precision in Precision)
    assert_same(got, wanted)
