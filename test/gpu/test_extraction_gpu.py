# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Extraction on a CUDA device: the way up, captured networks, and its own stream beside the matching."""

import functools
import threading

import numpy as np
import pytest
import torch

from lightmatch_ros.core.config import GeometryConfig, KeyframeConfig, MatcherConfig
from lightmatch_ros.core.engine.cuda.graphed import GraphedFunction
from lightmatch_ros.core.engine.cuda.graphs import GraphCapture
from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.frames import Frame
from lightmatch_ros.core.matching import Matching
from lightmatch_ros.core.pipeline import CameraPipeline
from lightmatch_ros.simulation.sources import RoomSource

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


def frames(count: int, size: tuple[int, int] = (640, 480)) -> list[Frame]:
    return [Frame(k * 10**8, "camera", f.image) for k, f in zip(range(count), RoomSource(size, 10), strict=False)]


@pytest.fixture(scope="module")
def build(shared_weights):
    """Builds an extractor on a device."""
    from lightmatch_ros.core.features.aliked import AlikedExtractor
    from lightmatch_ros.core.features.xfeat import XFeatExtractor
    from lightmatch_ros.core.weights import load_state_dict

    kinds = {"xfeat": XFeatExtractor, "aliked-n16": functools.partial(AlikedExtractor, "aliked-n16")}
    tensors = {name: load_state_dict(shared_weights / f"{name}.safetensors") for name in kinds}
    return lambda name, device, **options: kinds[name](tensors[name], device, 1024, **options)


def test_upload_does_not_wait_for_the_device():
    arrays = [np.full((480, 640, 3), value, np.uint8) for value in range(50)]
    stream = torch.cuda.Stream(CUDA)
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**9)
        there = [upload(array, CUDA) for array in arrays]
        waiting = not stream.query()
    stream.synchronize()
    assert waiting
    assert [int(tensor.float().mean()) for tensor in there] == list(range(50))


@pytest.mark.parametrize(("name", "channels"), [("xfeat", 1), ("aliked-n16", 3)])
def test_a_captured_network_gives_what_it_gives_uncaptured(build, name, channels):
    network = build(name, CUDA)._maps._function
    captured = GraphedFunction(network, GraphCapture(CUDA), limit=2)
    kept = []
    with torch.inference_mode():
        for shape in ((480, 640), (256, 320), (480, 640), (96, 96)) * 3:
            image = torch.rand(1, channels, *shape, device=CUDA)
            kept.append((captured(image), network(image)))
    for got, wanted in kept:
        torch.testing.assert_close(got, tuple(wanted), atol=1e-4, rtol=1e-4)
    assert captured.captures == 2


@pytest.mark.parametrize("resize", [0, 320])
@pytest.mark.parametrize("name", ["xfeat", "aliked-n16"])
def test_extractor_finds_what_it_finds_on_the_cpu(build, name, resize):
    image = frames(1)[0].image
    there, here = (build(name, device, resize=resize).extract(image) for device in (CUDA, CPU))
    near = np.linalg.norm(there.keypoints[:, None] - here.keypoints[None], axis=2).min(axis=0) < 0.1
    assert near.mean() >= 0.95  # guess; the host rounds the resized image to whole levels


@pytest.mark.parametrize("features", ["sift", "xfeat"])
def test_extraction_beside_matching_changes_nothing(features, shared_weights, monkeypatch):
    monkeypatch.setenv("LIGHTMATCH_WEIGHTS", str(shared_weights))
    matching = Matching(MatcherConfig(features=features, device="cuda:0", max_keypoints=512, tune=False))
    matching.warm_up()
    assert matching.overlap
    images = frames(30)
    in_turn, beside = (CameraPipeline(matching, KeyframeConfig(), GeometryConfig()) for _ in range(2))
    wanted = [in_turn.process(frame) for frame in images]
    extracted = matching.extract_ahead(images[0].image)
    for k, frame in enumerate(images):
        following: list = []
        ahead = threading.Thread(
            target=lambda: following.extend(matching.extract_ahead(f.image) for f in images[k + 1 : k + 2])
        )
        ahead.start()
        got = beside.match(frame, extracted)
        ahead.join()
        if got.pairing is not None:
            same = set(got.pairing.matches.indices1) & set(wanted[k].pairing.matches.indices1)
            assert len(same) >= 0.99 * len(wanted[k].pairing.matches)
        extracted = following[0] if following else None
