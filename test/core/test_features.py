# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Each extractor: where its keypoints are, in what order, under masks, and against the library that it wraps."""

import functools

import cv2
import kornia.feature
import numpy as np
import pytest
import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ImageError, WeightsError
from lightmatch_ros.core.features import create_extractor
from lightmatch_ros.core.features.aliked import AlikedExtractor
from lightmatch_ros.core.features.sift import OPENCV_BIAS_PX, root_sift
from lightmatch_ros.core.features.xfeat import XFeatExtractor
from lightmatch_ros.core.weights import load_state_dict

CPU = torch.device("cpu")
ALL = 20000
DIMS = {"sift": 128, "xfeat": 64, "aliked-n16": 128, "aliked-t16": 64}
EXTRACTORS = pytest.mark.parametrize("name", DIMS)
SIZE = (256, 192)  # (width, height), multiples of 32


def scene(width=SIZE[0], height=SIZE[1], seed=0):
    """Overlapping polygons on a textured ground, (H, W) uint8."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(90, 150, (height // 8, width // 8), np.uint8), (width, height))
    for _ in range(width * height // 600):
        centre = rng.uniform((0, 0), (width, height))
        corners = centre + rng.normal(0, 14, (4, 2))
        cv2.fillConvexPoly(
            image, cv2.convexHull(np.rint(corners).astype(np.int32)), int(rng.integers(256)), cv2.LINE_AA
        )
    return cv2.GaussianBlur(image, (0, 0), 0.8)


@pytest.fixture(scope="module")
def build(request):
    """Builds an extractor, from the shared weights where it has any; the same again for the same arguments."""

    @functools.cache
    def create(name, max_keypoints=ALL, resize=0):
        with pytest.MonkeyPatch.context() as patch:
            if name != "sift":
                patch.setenv("LIGHTMATCH_WEIGHTS", str(request.getfixturevalue("shared_weights")))
            config = MatcherConfig(features=name, max_keypoints=max_keypoints, resize=resize)
            return create_extractor(config, CPU, download=False)

    return create


@pytest.fixture(scope="module")
def everything(build):
    """All features of the scene."""
    return functools.cache(lambda name: build(name).extract(scene()))


def nearest(points, others):
    """For each point the vector to the nearest of the others, (M, 2)."""
    distances = np.linalg.norm(points[:, None] - others[None], axis=2)
    return others[distances.argmin(axis=1)] - points


def by_position(features):
    """Index that sorts keypoints by place, then orientation: independent of ties in the score."""
    keys = [features.keypoints[:, 0], features.keypoints[:, 1]]
    if features.orientations is not None:
        keys.insert(0, features.orientations)
    return np.lexsort(keys)


def assert_same(features, others, atol=1e-4):
    a, b = by_position(features), by_position(others)
    np.testing.assert_allclose(features.keypoints[a], others.keypoints[b], atol=atol)
    np.testing.assert_allclose(features.scores[a], others.scores[b], atol=atol)
    np.testing.assert_allclose(features.descriptors[a], others.descriptors[b], atol=1e-3)


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


# Where the keypoints are


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


def test_half_a_turn_shows_no_bias_of_sift(build, everything):
    """Turned by 180 degrees, the point (x, y) is at (w - 1 - x, h - 1 - y); an offset of all points shows doubled."""
    turned = build("sift").extract(np.ascontiguousarray(scene()[::-1, ::-1]))
    offsets = nearest(everything("sift").keypoints, np.array(SIZE) - 1 - turned.keypoints)
    offsets = offsets[np.linalg.norm(offsets, axis=1) < 1]
    assert len(offsets) > 0.8 * len(turned)
    np.testing.assert_allclose(np.mean(offsets, axis=0), 0, atol=0.05)


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0, 7.0])
@pytest.mark.parametrize("centre", [(60.0, 60.0), (60.3, 63.7), (50.5, 50.5), (71.25, 66.6)])
def test_sift_is_at_the_centre_of_a_spot(sigma, centre):
    grid = np.mgrid[0:128, 0:128]
    spot = np.exp(-((grid[1] - centre[0]) ** 2 + (grid[0] - centre[1]) ** 2) / (2 * sigma**2))
    features = create_extractor(MatcherConfig(features="sift"), CPU).extract(np.rint(100 + 120 * spot).astype(np.uint8))
    np.testing.assert_allclose(features.keypoints[0], centre, atol=0.05)


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


# Nothing to see, and odd sizes


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


@EXTRACTORS
@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)]
)
def test_unusable_images(build, name, bad):
    with pytest.raises(ImageError, match="wanted"):
        build(name).extract(bad)


# Masks


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


# Against the libraries


def test_sift_equals_opencv():
    """Moved by OpenCV's bias; the same descriptors, square roots of parts of one."""
    image = scene()
    features = create_extractor(MatcherConfig(features="sift", max_keypoints=ALL), CPU).extract(image)
    found, descriptors = cv2.SIFT.create(contrastThreshold=0.02).detectAndCompute(image, None)
    assert len(features) == len(found)
    order = sorted(range(len(found)), key=lambda i: (-found[i].response, *found[i].pt, found[i].angle))
    np.testing.assert_allclose(features.keypoints, np.array([found[i].pt for i in order]) - OPENCV_BIAS_PX, atol=1e-4)
    np.testing.assert_allclose(features.scales, [found[i].size for i in order], rtol=1e-6)
    np.testing.assert_allclose(features.orientations, np.deg2rad([found[i].angle for i in order]), atol=1e-5)
    wanted = descriptors[order] / np.linalg.norm(descriptors[order], ord=1, axis=1, keepdims=True)
    np.testing.assert_allclose(features.descriptors.square(), wanted, atol=1e-6)


def test_root_sift_of_nothing():
    np.testing.assert_array_equal(root_sift(np.zeros((1, 128), np.float32)), np.zeros((1, 128)))


@pytest.fixture
def kornia_xfeat(shared_weights):
    model = kornia.feature.XFeat()
    model.net.load_state_dict(load_state_dict(shared_weights / "xfeat.safetensors"), strict=False)
    return model.eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_xfeat_equals_kornia(build, kornia_xfeat, channels):
    image = cv2.merge([scene(seed=s) for s in range(channels)])
    pixels = torch.tensor(image.reshape(*image.shape[:2], channels)).permute(2, 0, 1)[None] / 255
    wanted = kornia_xfeat.detectAndCompute(pixels, top_k=200)[0]
    features = build("xfeat", max_keypoints=200).extract(image)
    np.testing.assert_array_equal(features.keypoints, wanted["keypoints"])
    np.testing.assert_allclose(features.scores, wanted["scores"], rtol=1e-5)
    torch.testing.assert_close(features.descriptors, torch.clone(wanted["descriptors"]), atol=1e-5, rtol=0)


def test_kornia_alone_is_half_a_pixel_off(build, kornia_xfeat):
    """Why images are resized here: kornia resizes to multiples of 32 too, and returns i * s, not (i + .5) * s - .5."""
    image = scene(80, 63)  # halved by kornia, almost: 80 to 64, 63 to 32
    theirs = kornia_xfeat.detectAndCompute(torch.tensor(image)[None, None] / 255)[0]["keypoints"]
    steps = theirs.numpy() / (80 / 64, 63 / 32)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    ours = (build("xfeat").extract(image).keypoints + 0.5) / (80 / 64, 63 / 32) - 0.5
    np.testing.assert_allclose(ours, np.rint(ours), atol=1e-4)


@pytest.mark.parametrize("name", ["aliked-n16", "aliked-t16"])
@pytest.mark.parametrize("size", [SIZE, (203, 131)])
def test_aliked_equals_kornia(build, shared_weights, name, size):
    model = kornia.feature.ALIKED(name).eval()
    model.load_state_dict(load_state_dict(shared_weights / f"{name}.safetensors"), strict=False)
    image = cv2.merge([scene(*size, seed=s) for s in range(3)])
    rgb = torch.tensor(image[:, :, ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        wanted = model(rgb)[0]
    order = torch.argsort(wanted.keypoint_scores, descending=True, stable=True)
    features = build(name).extract(image)
    assert len(features) > 50
    np.testing.assert_allclose(features.keypoints, wanted.keypoints[order], atol=1e-3)
    np.testing.assert_allclose(features.scores, wanted.keypoint_scores[order], atol=1e-5)
    torch.testing.assert_close(features.descriptors, wanted.descriptors[order], atol=1e-4, rtol=0)


# Weights


@pytest.mark.parametrize("name", ["xfeat", "aliked-n16"])
def test_absent_weights(tmp_path, monkeypatch, name):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=f"weights '{name}' are absent.*https://"):
        create_extractor(MatcherConfig(features=name), CPU, download=False)


def test_weights_of_another_network(shared_weights):
    with pytest.raises(WeightsError, match=r"block1\.bn1\.bias has shape \(8,\), wanted \(16,\)"):
        AlikedExtractor("aliked-n16", load_state_dict(shared_weights / "aliked-t16.safetensors"), CPU, 100)
    with pytest.raises(WeightsError, match="missing key block1"):
        XFeatExtractor(load_state_dict(shared_weights / "aliked-t16.safetensors"), CPU, 100)


def test_xfeat_needs_all_but_what_it_does_not_run(shared_weights):
    tensors = load_state_dict(shared_weights / "xfeat.safetensors")
    bare = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    unused = {**tensors, "fine_matcher.0.weight": torch.ones(512, 128)}
    for usable in (bare, unused):
        assert len(XFeatExtractor(usable, CPU, 100).extract(scene())) == 100
    del tensors["keypoint_head.3.bias"]
    with pytest.raises(WeightsError, match=r"missing key keypoint_head\.3\.bias"):
        XFeatExtractor(tensors, CPU, 100)


def test_aliked_needs_all_but_its_window(shared_weights):
    tensors = load_state_dict(shared_weights / "aliked-t16.safetensors")
    assert "dkd.hw_grid" not in tensors
    del tensors["score_head.6.weight"]
    with pytest.raises(WeightsError, match=r"missing key score_head\.6\.weight$"):
        AlikedExtractor("aliked-t16", tensors, CPU, 100)
