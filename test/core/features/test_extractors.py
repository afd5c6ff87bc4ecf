# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Each extractor: the form of its features, which keypoints stay, masks, and input that it refuses."""

import cv2
import numpy as np
import pytest
import torch
from extractor_scenes import CPU, DIMS, EXTRACTORS, SIZE, assert_same, scene

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ImageError, WeightsError
from lightmatch_ros.core.features import create_extractor


@EXTRACTORS
def test_form(build, name):
    extractor = build(name, max_keypoints=60)
    features = extractor.extract(scene())
    assert (
        (extractor.name, extractor.descriptor_dim)
        == (features.name, features.descriptors.shape[1])
        == (name, DIMS[name])
    )
    assert features.image_size == SIZE
    assert len(features) == 60
    assert features.keypoints.shape == (60, 2) and features.descriptors.shape[0] == 60
    assert {a.dtype for a in (features.keypoints, features.scores)} == {np.dtype(np.float32)}
    assert features.descriptors.dtype == torch.float32 and features.descriptors.is_contiguous()
    torch.testing.assert_close(features.descriptors.norm(dim=1), torch.ones(60))
    assert (np.diff(features.scores) <= 0).all()
    if name == "sift":
        assert features.scales.dtype == features.orientations.dtype == np.float32
        assert features.scales.shape == features.orientations.shape == (60,)
        assert (features.orientations >= 0).all() and (features.orientations <= 2 * np.pi).all()
    else:
        assert features.scales is None and features.orientations is None


@EXTRACTORS
def test_the_best_of_all_stay(build, everything, name):
    best, few = everything(name), build(name, max_keypoints=40).extract(scene())
    assert len(best) > 100
    np.testing.assert_allclose(few.scores, best.scores[:40], atol=1e-6)
    assert (few.keypoints[:, None] == best.keypoints[None]).all(axis=2).any(axis=1).all()


@EXTRACTORS
def test_descriptors_can_be_trained_on(build, name):
    """Not inference tensors, which autograd refuses."""
    descriptors = build(name, max_keypoints=10).extract(scene()).descriptors
    layer = torch.nn.Linear(descriptors.shape[1], 1)
    layer(descriptors).sum().backward()
    assert layer.weight.grad is not None


@EXTRACTORS
def test_input_is_left_alone_and_may_be_read_only(build, everything, name):
    image = np.asfortranarray(scene())
    image.setflags(write=False)
    assert_same(build(name).extract(image), everything(name))
    np.testing.assert_array_equal(image, scene())


@EXTRACTORS
def test_grey_equals_grey_in_colour(build, everything, name):
    assert_same(build(name).extract(cv2.merge([scene()] * 3)), everything(name))


@EXTRACTORS
def test_colour(build, name):
    colour = cv2.merge([scene(seed=s) for s in range(3)])
    assert len(build(name).extract(colour)) > 50


@EXTRACTORS
@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)]
)
def test_unusable_images(build, name, bad):
    with pytest.raises(ImageError, match="wanted"):
        build(name).extract(bad)


@EXTRACTORS
def test_mask_takes_away_before_the_best_are_chosen(build, everything, name):
    middle = SIZE[0] // 2
    mask = np.full(SIZE[::-1], 255, np.uint8)
    mask[:, :middle] = 0
    unmasked = everything(name)
    right = np.rint(unmasked.keypoints[:, 0]) >= middle
    assert 40 < right.sum() < len(unmasked)
    masked = build(name, max_keypoints=40).extract(scene(), mask)
    assert len(masked) == 40
    assert (np.rint(masked.keypoints[:, 0]) >= middle).all()
    np.testing.assert_allclose(masked.scores, unmasked.scores[right][:40], atol=1e-6)
    torch.testing.assert_close(masked.descriptors[0], unmasked.descriptors[np.flatnonzero(right)[0]])


@EXTRACTORS
def test_masks_of_all_and_nothing(build, everything, name):
    image, extractor = scene(), build(name)
    assert len(extractor.extract(image, np.zeros(image.shape, np.uint8))) == 0
    assert_same(extractor.extract(image, np.ones(image.shape, np.uint8)), everything(name))


@EXTRACTORS
def test_mask_counts_in_original_pixels(build, name):
    large = cv2.resize(scene(), (670, 450), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros(large.shape, np.uint8)
    mask[101:300, 57:400] = 1
    keypoints = np.rint(build(name, resize=320).extract(large, mask).keypoints)
    assert len(keypoints) > 20
    assert (keypoints >= (57, 101)).all() and (keypoints < (400, 300)).all()


@EXTRACTORS
def test_mask_of_another_size(build, name):
    with pytest.raises(ImageError, match=r"mask of shape \(3, 3\), wanted \(192, 256\)"):
        build(name).extract(scene(), np.ones((3, 3), np.uint8))


@pytest.mark.parametrize("name", ["xfeat", "aliked-n16"])
def test_absent_weights(tmp_path, monkeypatch, name):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights '{name}' are absent.*https://"):
        create_extractor(MatcherConfig(features=name), CPU, download=False)
