# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network against kornia's eager LightGlue with the same random weights."""

from dataclasses import dataclass

import kornia.feature
import pytest
import torch

from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, Points, load_network

SIZE = (640, 480)
# The configurations that checkpoints exist for, fewer layers where the full depth adds only time.
CONFIGURATIONS = {
    "superpoint": {"input_dim": 256, "n_layers": 9},
    "disk": {"input_dim": 128, "n_layers": 5},
    "aliked": {"input_dim": 128, "n_layers": 4},
    "sift": {"input_dim": 128, "n_layers": 4, "add_scale_ori": True},
    "doghardnet": {"input_dim": 128, "n_layers": 3, "add_scale_ori": True, "scale_coef": 1 / 6},
    "lighterglue": {"input_dim": 64, "descriptor_dim": 96, "num_heads": 1, "n_layers": 6},
    "one-layer": {"input_dim": 64, "descriptor_dim": 64, "num_heads": 2, "n_layers": 1},
}


@dataclass
class Pair:
    """The same random network in both implementations."""

    kornia: kornia.feature.LightGlue
    ours: LightGlue


def build(configuration: dict, seed: int, depth: float = 0.95, width: float = 0.99) -> Pair:
    """A pair of networks whose heads really stop and prune.

    The heads' weights are scaled up so that confidences and matchabilities spread over (0, 1); the confidences'
    bias grows with the layer, as training makes them.
    """
    torch.manual_seed(seed)
    settings = {**configuration, "depth_confidence": depth, "width_confidence": width, "flash": False}
    peer = kornia.feature.LightGlue(None, **settings).eval()
    with torch.no_grad():
        for i, head in enumerate(peer.token_confidence):
            head.token[0].weight.mul_(6)
            head.token[0].bias.fill_(0.8 * i)
        for head in peer.log_assignment:
            head.matchability.weight.mul_(8)
            head.matchability.bias.fill_(-2)
            head.final_proj.weight.mul_(2.5)
    tensors = {key: value.clone() for key, value in peer.state_dict().items()}
    return Pair(peer, load_network(tensors, scale_coef=configuration.get("scale_coef", 1.0)))


def random_points(network: LightGlue, count: int, generator: torch.Generator) -> Points:
    """Points of unit descriptors anywhere in the image."""
    descriptors = torch.randn(count, network.architecture.input_dim, generator=generator)
    return Points(
        torch.rand(count, 2, generator=generator) * torch.tensor(SIZE),
        torch.nn.functional.normalize(descriptors, dim=-1),
        SIZE,
        torch.rand(count, generator=generator) * 20 + 1,
        torch.rand(count, generator=generator) * 6.28,
    )


def noisy_copy(points: Points, count: int, generator: torch.Generator) -> Points:
    """The first ``count`` points seen again: shuffled, with noise, so that there is something to match."""
    order = torch.randperm(len(points), generator=generator)[:count]
    noise = torch.randn(len(order), points.descriptors.shape[1], generator=generator)
    descriptors = torch.nn.functional.normalize(points.descriptors[order] + 0.02 * noise, dim=-1)
    return Points(
        (points.keypoints[order] + 3).clamp(max=479),
        descriptors,
        SIZE,
        points.scales[order],
        points.orientations[order],
    )


def run_kornia(peer: kornia.feature.LightGlue, points0: Points, points1: Points) -> dict:
    def image(points: Points) -> dict:
        return {
            "keypoints": points.keypoints[None],
            "descriptors": points.descriptors[None],
            "image_size": torch.tensor([points.size]),
            "scales": points.scales[None],
            "oris": points.orientations[None],
        }

    with torch.inference_mode():
        return peer({"image0": image(points0), "image1": image(points1)})


def assert_equal(pair: Pair, points0: Points, points1: Points, depth: float = 0.95, width: float = 0.99) -> tuple:
    """Both give the same answer; returns (stop layer, number of pruned points, number of matches)."""
    theirs = run_kornia(pair.kornia, points0, points1)
    ours = pair.ours(points0, points1, Adaptivity(depth, width), 0.1)
    matches = torch.stack([ours.indices0, ours.indices1], 1)
    assert torch.equal(matches, theirs["matches"][0])
    torch.testing.assert_close(ours.scores, theirs["scores"][0], atol=1e-5, rtol=0)
    assert ours.stop_layer == theirs["stop"]
    assert torch.equal(ours.layers0, theirs["prune0"][0].long())
    assert torch.equal(ours.layers1, theirs["prune1"][0].long())
    layers = [layers for layers in (ours.layers0, ours.layers1) if len(layers)]
    pruned = sum(int((left < left.max()).sum()) for left in layers)
    return ours.stop_layer, pruned, len(matches)


def test_adaptive_equals_kornia_over_many_cases():
    generator = torch.Generator().manual_seed(7)
    stopped = pruned = matched = cases = 0
    deep = [configuration for configuration in CONFIGURATIONS.values() if configuration["n_layers"] > 1]
    for configuration in deep:
        for seed in range(9):
            pair = build(configuration, seed)
            count0 = int(torch.randint(20, 250, (), generator=generator))
            points0 = random_points(pair.ours, count0, generator)
            points1 = noisy_copy(points0, int(torch.randint(10, 250, (), generator=generator)), generator)
            stop, gone, matches = assert_equal(pair, points0, points1)
            cases += 1
            stopped += stop < configuration["n_layers"]
            pruned += gone > 0
            matched += matches > 0
    assert cases >= 50
    assert stopped >= cases // 2, "the heads of this test must make the network stop early"
    assert pruned >= cases // 2, "the heads of this test must make the network prune"
    assert matched >= cases // 2, "the weights of this test must give matches"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_full_depth_equals_kornia(name):
    pair = build(CONFIGURATIONS[name], 1, depth=-1, width=-1)
    generator = torch.Generator().manual_seed(3)
    points0 = random_points(pair.ours, 120, generator)
    stop, pruned, _ = assert_equal(pair, points0, noisy_copy(points0, 77, generator), -1, -1)
    assert (stop, pruned) == (CONFIGURATIONS[name]["n_layers"], 0)


def test_early_stop_alone_equals_kornia():
    pair = build(CONFIGURATIONS["disk"], 2, width=-1)
    generator = torch.Generator().manual_seed(5)
    points0 = random_points(pair.ours, 200, generator)
    stop, pruned, _ = assert_equal(pair, points0, noisy_copy(points0, 150, generator), 0.95, -1)
    assert stop < 5
    assert pruned == 0


@pytest.mark.parametrize("counts", [(1, 1), (1, 40), (40, 1), (2, 3), (300, 5)])
def test_few_points_equal_kornia(counts):
    pair = build(CONFIGURATIONS["lighterglue"], 4)
    generator = torch.Generator().manual_seed(11)
    points0 = random_points(pair.ours, counts[0], generator)
    assert_equal(pair, points0, random_points(pair.ours, counts[1], generator))


@pytest.mark.parametrize("counts", [(0, 0), (0, 5), (5, 0)])
def test_no_points_equal_kornia(counts):
    pair = build(CONFIGURATIONS["superpoint"], 4)
    generator = torch.Generator().manual_seed(11)
    points = [random_points(pair.ours, count, generator) for count in counts]
    assert assert_equal(pair, *points) == (0, 0, 0)
