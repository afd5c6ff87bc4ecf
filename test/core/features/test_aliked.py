# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""ALIKED: against kornia, and the weights that it needs."""

import cv2
import kornia.feature
import numpy as np
import pytest
import torch
from extractor_scenes import CPU, SIZE, scene

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.features.aliked import AlikedExtractor
from lightmatch_ros.core.features.aliked_heads import Describer
from lightmatch_ros.core.features.aliked_network import AlikedNetwork, Pyramid
from lightmatch_ros.core.features.xfeat import XFeatExtractor
from lightmatch_ros.core.weights import load_state_dict


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


def test_weights_of_another_network(shared_weights):
    with pytest.raises(WeightsError, match=r"block1\.bn1\.bias has shape \(8,\), wanted \(16,\)"):
        AlikedExtractor("aliked-n16", load_state_dict(shared_weights / "aliked-t16.safetensors"), CPU, 100)
    with pytest.raises(WeightsError, match="missing key block1"):
        XFeatExtractor(load_state_dict(shared_weights / "aliked-t16.safetensors"), CPU, 100)


def test_aliked_needs_all_but_its_window(shared_weights):
    tensors = load_state_dict(shared_weights / "aliked-t16.safetensors")
    assert "dkd.hw_grid" not in tensors
    del tensors["score_head.6.weight"]
    with pytest.raises(WeightsError, match=r"missing key score_head\.6\.weight$"):
        AlikedExtractor("aliked-t16", tensors, CPU, 100)


@pytest.fixture
def aliked(shared_weights):
    model = kornia.feature.ALIKED("aliked-t16").eval()
    model.load_state_dict(load_state_dict(shared_weights / "aliked-t16.safetensors"), strict=False)
    return model


def pyramid_of(model, image):
    *levels, _ = AlikedNetwork(model)(image)
    return Pyramid.of(levels, (image.shape[3], image.shape[2]))


@pytest.mark.parametrize("count", [1, 50, 2000])
@torch.inference_mode()
def test_descriptors_equal_kornia_for_few_and_many_keypoints(aliked, count):
    """Of few keypoints, features are computed where they are read; of many, for all pixels. Borders count too."""
    width, height = 203, 131
    image = torch.tensor(scene(width, height))[None, None].expand(1, 3, -1, -1) / 255
    positions = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    positions[0] = torch.tensor([-1.0, 1.0])
    pyramid = pyramid_of(aliked, image)
    wanted = aliked.desc_head(aliked.extract_dense_map(image)[0], [positions])[0][0]
    torch.testing.assert_close(Describer(aliked.desc_head)(pyramid, positions), wanted, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_features_outside_the_image_count_as_nothing(aliked):
    """As `grid_sample` pads, though the network's own image goes on there."""
    image = torch.tensor(scene(203, 131))[None, None].expand(1, 3, -1, -1) / 255
    pyramid = pyramid_of(aliked, image)
    outside = torch.tensor([[-1, 5], [5, -1], [203, 5], [5, 131], [-900, 900]])
    assert (pyramid.at(outside) == 0).all()
    border = pyramid.at(torch.tensor([[0, 0], [202, 130]]))
    torch.testing.assert_close(border, pyramid.dense()[0, :, [0, 130], [0, 202]].T, atol=1e-5, rtol=0)
