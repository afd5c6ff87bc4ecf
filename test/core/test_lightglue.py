# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The network's own promises: the paper's decisions, checkpoints, errors."""

import dataclasses
import math

import pytest
import torch

from lightmatch_ros.core.errors import ConfigurationError, WeightsError
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue, Points, load_network
from lightmatch_ros.core.lightglue.adaptive import FULL, confidence_threshold, points_to_keep, should_stop
from lightmatch_ros.core.lightglue.assignment import log_assignment, mutual_matches
from lightmatch_ros.core.weights import load_state_dict

SMALL = Architecture(input_dim=16, descriptor_dim=32, num_heads=2, n_layers=4)


def points(count: int, architecture: Architecture = SMALL, seed: int = 0) -> Points:
    generator = torch.Generator().manual_seed(seed)
    return Points(
        torch.rand(count, 2, generator=generator) * 100,
        torch.randn(count, architecture.input_dim, generator=generator),
        (100, 80),
    )


def network(architecture: Architecture = SMALL) -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(architecture).eval()


def set_heads(net: LightGlue, confidence: float, matchability: float) -> None:
    """Makes every head answer the same, whatever it sees."""
    with torch.no_grad():
        for head in net.token_confidence:
            head.token[0].weight.zero_()
            head.token[0].bias.fill_(math.log(confidence / (1 - confidence)))
        for head in net.log_assignment.values():
            head.matchability.weight.zero_()
            head.matchability.bias.fill_(math.log(matchability / (1 - matchability)))


def test_threshold_follows_the_paper():
    assert confidence_threshold(0, 9) == pytest.approx(0.9)
    assert confidence_threshold(9, 9) == pytest.approx(0.8 + 0.1 * math.exp(-4))


def test_stop_counts_pruned_points_as_confident():
    left = torch.tensor([0.95, 0.1])
    assert not should_stop(left, 0.9, 2, 0.95)
    assert should_stop(left, 0.9, 100, 0.95)


def test_pruning_keeps_the_unsure_and_the_matchable():
    confidences = torch.tensor([0.99, 0.99, 0.5, 0.5])
    matchability = torch.tensor([0.001, 0.5, 0.001, 0.5])
    assert points_to_keep(confidences, matchability, 0.9, 0.99).tolist() == [False, True, True, True]


def test_stops_after_the_first_layer_when_all_are_confident():
    net = network()
    set_heads(net, confidence=0.999, matchability=0.5)
    assert net(points(9), points(7, seed=1), Adaptivity()).stop_layer == 1


def test_never_prunes_points_it_is_unsure_of():
    net = network()
    set_heads(net, confidence=0.5, matchability=1e-4)
    out = net(points(9), points(7, seed=1), Adaptivity(depth_confidence=-1))
    assert out.stop_layer == 4
    assert out.layers0.tolist() == [4] * 9


def test_ends_when_an_image_has_lost_all_points():
    net = network()
    set_heads(net, confidence=0.999, matchability=1e-4)
    out = net(points(9), points(7, seed=1), Adaptivity(depth_confidence=-1))
    assert out.stop_layer == 1
    assert len(out.scores) == 0
    assert out.layers0.tolist() == [1] * 9


def test_small_images_are_not_pruned():
    net = network()
    set_heads(net, confidence=0.999, matchability=1e-4)
    out = net(points(9), points(7, seed=1), Adaptivity(depth_confidence=-1, min_points=9))
    assert out.stop_layer == 4


def test_assignment_is_the_paper_s_double_softmax():
    torch.manual_seed(1)
    similarity, z0, z1 = torch.randn(5, 7), torch.randn(5), torch.randn(7)
    expected = similarity.softmax(0) * similarity.softmax(1) * z0.sigmoid()[:, None] * z1.sigmoid()
    torch.testing.assert_close(log_assignment(similarity, z0, z1).exp(), expected)


def test_matches_are_mutual_and_above_the_threshold():
    scores = torch.tensor([[0.9, 0.2], [0.8, 0.05], [0.1, 0.3]]).log()
    i0, i1, s = mutual_matches(scores, 0.1)
    assert (i0.tolist(), i1.tolist()) == ([0, 2], [0, 1])
    torch.testing.assert_close(s, torch.tensor([0.9, 0.3]))
    assert mutual_matches(scores, 0.5)[0].tolist() == [0]


@pytest.mark.parametrize("prefix", ["", "matcher."])
@pytest.mark.parametrize("old_names", [False, True])
def test_loads_old_and_new_names(prefix, old_names):
    net = network()
    tensors = {}
    for key, value in net.state_dict().items():
        if old_names and key.startswith("transformers."):
            _, layer, block, rest = key.split(".", 3)
            key = f"{block}.{layer}.{rest}"
        tensors[prefix + key] = value
    tensors["confidence_thresholds"] = torch.zeros(4)
    loaded = load_network(tensors)
    assert loaded.architecture == SMALL
    a, b = (n(points(20), points(20), FULL) for n in (net, loaded))
    assert torch.equal(a.scores, b.scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("transformers.2.cross_attn.to_v.bias"), "missing key transformers.2.cross_attn.to_v.bias"),
        (lambda t: t.update({"transformers.2.more": torch.zeros(1)}), "unexpected key transformers.2.more"),
        (lambda t: t.update({"input_proj.bias": torch.zeros(3)}), r"input_proj.bias has shape \(3,\), wanted \(32,\)"),
        (lambda t: t.pop("token_confidence.1.token.0.bias"), "missing key token_confidence.1.token.0.bias"),
        (lambda t: t.clear(), "not a LightGlue checkpoint"),
    ],
)
def test_a_wrong_checkpoint_is_named(change, message):
    tensors = dict(network().state_dict())
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        load_network(tensors)


def test_positional_encoding_of_six_numbers_is_refused():
    tensors = dict(network().state_dict())
    tensors["posenc.Wr.weight"] = torch.zeros(8, 6)
    with pytest.raises(WeightsError, match="6 numbers a point"):
        load_network(tensors)


def test_adaptivity_without_heads_is_an_error():
    net = network(dataclasses.replace(SMALL, adaptive=False))
    assert net(points(5), points(5), FULL).stop_layer == 4
    with pytest.raises(ConfigurationError, match="no heads"):
        net(points(5), points(5), Adaptivity())


def test_missing_scales_are_an_error():
    net = network(dataclasses.replace(SMALL, scale_orientation=True))
    with pytest.raises(ConfigurationError, match="scale and orientation"):
        net(points(5), points(5), FULL)


def test_log_scale_makes_a_zoom_a_shift():
    net = network(dataclasses.replace(SMALL, scale_orientation=True, scale_encoding="log2"))
    given = dataclasses.replace(points(3), scales=torch.tensor([1.0, 2.0, 8.0]), orientations=torch.zeros(3))
    assert net.positions(given)[:, 2].tolist() == pytest.approx([0, 1, 3])


def test_partial_lighterglue_loads_without_adaptivity(shared_weights):
    net = load_network(load_state_dict(shared_weights / "xfeat-lighterglue-l3.safetensors"))
    assert net.architecture == Architecture(64, 96, 1, 3, adaptive=False)
