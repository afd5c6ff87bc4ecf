# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Each extractor: where its keypoints are, in images of any size."""

import cv2
import numpy as np
import pytest
import torch
from extractor_scenes import DIMS, EXTRACTORS, SIZE, by_position, nearest, scene


@EXTRACTORS
def test_shrinking_is_undone_exactly(build, everything, name):
    """Each pixel becomes a block; shrunk again it is the same image, so each keypoint is at the middle of its block."""
    wanted = everything(name)
    got = build(name, resize=max(SIZE)).extract(np.kron(scene(), np.ones((2, 2), np.uint8)))
    assert got.image_size == (2 * SIZE[0], 2 * SIZE[1])
    a, b = by_position(wanted), by_position(got)
    np.testing.assert_allclose(got.keypoints[b], (wanted.keypoints[a] + 0.5) * 2 - 0.5, atol=1e-3)
    torch.testing.assert_close(got.descriptors[b], wanted.descriptors[a], atol=1e-3, rtol=0)
    if name == "sift":
        np.testing.assert_allclose(got.scales[b], 2 * wanted.scales[a], rtol=1e-4)
        np.testing.assert_allclose(got.orientations[b], wanted.orientations[a], atol=1e-3)


@EXTRACTORS
@pytest.mark.parametrize(("resize", "size"), [(200, (200, 150)), (0, (333, 250))])
def test_each_axis_has_its_own_factor(build, name, resize, size):
    """333 x 250: shrunk, the factors differ by rounding; XFeat rounds further, to multiples of 32."""
    if name == "xfeat":
        size = tuple(side // 32 * 32 for side in size)
    image = scene(333, 250)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    wanted, got = build(name).extract(small), build(name, resize=resize).extract(image)
    assert len(got) > 50
    a, b = by_position(wanted), by_position(got)
    factors = np.array([333 / size[0], 250 / size[1]])
    np.testing.assert_allclose(got.keypoints[b], (wanted.keypoints[a] + 0.5) * factors - 0.5, atol=1e-3)


@EXTRACTORS
def test_keypoints_follow_a_crop(build, everything, name):
    """A window of the image that starts at (64, 32): what is well inside has moved by that."""
    shift = np.array([64, 32])
    cropped = build(name).extract(scene()[shift[1] :, shift[0] :]).keypoints
    inside = (cropped > 48).all(axis=1) & (cropped < np.array(SIZE) - shift - 48).all(axis=1)
    offsets = nearest(cropped[inside] + shift, everything(name).keypoints)
    assert inside.sum() > 20
    assert np.mean(np.linalg.norm(offsets, axis=1) < 1) > 0.8  # networks see more than the window
    np.testing.assert_allclose(np.median(offsets, axis=0), 0, atol=0.15)


@EXTRACTORS
def test_keypoints_follow_a_known_homography(build, shared_data, name):
    """Oxford's leuven, darker in image 4: descriptors' mutual nearest neighbours, against the ground truth."""
    extractor = build(name, max_keypoints=1000, resize=450)
    folder = shared_data / "oxford" / "leuven"
    features = [extractor.extract(cv2.imread(str(folder / f"{i}.jpg"))) for i in (1, 4)]
    similarity = (features[0].descriptors @ features[1].descriptors.T).numpy()
    best0, best1 = similarity.argmax(axis=1), similarity.argmax(axis=0)
    mutual = best1[best0] == np.arange(len(best0))
    points0, points1 = features[0].keypoints[mutual], features[1].keypoints[best0[mutual]]
    expected = cv2.perspectiveTransform(points0[None].astype(float), np.loadtxt(folder / "H_1_4.txt"))[0]
    offsets = points1 - expected
    near = np.linalg.norm(offsets, axis=1) < 4
    assert near.sum() > 150 and near.mean() > 0.45
    np.testing.assert_allclose(np.median(offsets[near], axis=0), 0, atol=0.4)


@EXTRACTORS
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (31, 200), (163, 97)])
def test_flat_images_have_no_keypoints(build, name, size):
    for value in (0, 127, 255):
        features = build(name).extract(np.full(size[::-1], value, np.uint8))
        assert len(features) == 0
        assert features.image_size == size
        assert features.keypoints.shape == (0, 2) and features.scores.shape == (0,)
        assert features.descriptors.shape == (0, DIMS[name])
        if name == "sift":
            assert features.scales.shape == features.orientations.shape == (0,)


@EXTRACTORS
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (1, 200), (31, 200), (163, 97)])
def test_keypoints_are_inside_images_of_any_size(build, name, size):
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    features = build(name).extract(noise)
    assert features.image_size == size
    assert (features.keypoints >= -0.5).all() and (features.keypoints <= np.array(size) - 0.5).all()
    assert torch.isfinite(features.descriptors).all()


@EXTRACTORS
def test_long_thin_image(build, name):
    image = np.tile(scene(64, 400), (5, 1))[:, :31]
    features = build(name).extract(image)
    assert features.image_size == (31, 2000)
    assert len(features) > 50
