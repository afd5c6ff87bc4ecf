# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""XFeat: against kornia, and the weights that it needs."""

import cv2
import kornia.feature
import numpy as np
import pytest
import torch
from extractor_scenes import CPU, scene

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.features.xfeat import XFeatExtractor
from lightmatch_ros.core.weights import load_state_dict


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


def test_xfeat_needs_all_but_what_it_does_not_run(shared_weights):
    tensors = load_state_dict(shared_weights / "xfeat.safetensors")
    bare = {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")}
    unused = {**tensors, "fine_matcher.0.weight": torch.ones(512, 128)}
    for usable in (bare, unused):
        assert len(XFeatExtractor(usable, CPU, 100).extract(scene())) == 100
    del tensors["keypoint_head.3.bias"]
    with pytest.raises(WeightsError, match=r"missing key keypoint_head\.3\.bias"):
        XFeatExtractor(tensors, CPU, 100)
