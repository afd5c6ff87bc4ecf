# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Networks that stop and prune, points to match, and the comparison of an engine with the reference network."""

import functools
from collections.abc import Sequence

import torch

from lightmatch_ros.core.engine import Engine
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue, NetworkOutput, Points, load_network
from lightmatch_ros.core.weights import load_matcher

SIZE = (640, 480)
SMALL = Architecture(input_dim=24, descriptor_dim=32, num_heads=2, n_layers=5)
ENCODES_SCALE = Architecture(
    input_dim=16,
    descriptor_dim=32,
    num_heads=2,
    n_layers=3,
    scale_orientation=True,
    scale_coef=0.5,
    scale_encoding="log2",
)
ADAPTIVITIES = {
    "full": Adaptivity(-1, -1),
    "both": Adaptivity(0.95, 0.99),
    "depth": Adaptivity(0.9, -1),
    "width": Adaptivity(-1, 0.8),
    "narrow": Adaptivity(0.98, 0.5),
    "min_points": Adaptivity(0.99, 0.5, min_points=20),
}


def random_network(architecture: Architecture = SMALL, seed: int = 0) -> LightGlue:
    """A network whose heads spread over (0, 1): a part of the points is pruned, more are confident layer by layer."""
    torch.manual_seed(seed)
    network = LightGlue(architecture).eval().requires_grad_(False)
    for head in network.log_assignment.values():
        head.final_proj.weight.mul_(4)
    for i, x in enumerate(_states(network)):
        if i < len(network.token_confidence):
            _spread(network.token_confidence[i].token[0], x, mean=1.0 + 1.5 * i)
        if str(i) in network.log_assignment:
            _spread(network.head(i).matchability, x, mean=0.5)
    return network


def _states(network: LightGlue) -> list[torch.Tensor]:
    """States of some points after each layer, (100, D)."""
    points0, points1 = pair_of(network, 50, 50, seed=99)
    (x0, encoding0), (x1, encoding1) = network.embed(points0), network.embed(points1)
    states = []
    for layer in network.transformers:
        x0, x1 = layer(x0, x1, encoding0, encoding1)
        states.append(torch.cat([x0, x1]))
    return states


def _spread(linear: torch.nn.Linear, x: torch.Tensor, mean: float) -> None:
    """Gives the logits of states x this mean and a deviation of 2."""
    linear.weight.mul_(2 / linear(x).std())
    linear.bias.add_(mean - linear(x).mean())


@functools.cache
def bundled_network() -> LightGlue:
    """The network that comes with the package."""
    weights = load_matcher("auto", "sift")
    defaults = weights.defaults
    return load_network(weights.tensors, scale_coef=defaults.scale_coef, scale_encoding=defaults.scale_encoding)


def pair_of(
    network: LightGlue, count0: int, count1: int, seed: int = 0, device: str | torch.device = "cpu"
) -> tuple[Points, Points]:
    """Two images; what both have room for is seen in both, shifted and with noise, in another order."""
    generator = torch.Generator().manual_seed(1000 * seed + 7)
    most, dim = max(count0, count1), network.architecture.input_dim
    descriptors = torch.nn.functional.normalize(torch.randn(most, dim, generator=generator), dim=-1)
    noisy = torch.nn.functional.normalize(descriptors + 0.02 * torch.randn(most, dim, generator=generator), dim=-1)
    keypoints = torch.rand(most, 2, generator=generator) * torch.tensor([600.0, 440.0])
    scales, orientations = (torch.rand(most, generator=generator) * top for top in (20, 6.28))
    order = torch.randperm(most, generator=generator)[:count1]

    def image(keypoints: torch.Tensor, descriptors: torch.Tensor, rows: torch.Tensor) -> Points:
        columns = (keypoints[rows], descriptors[rows], scales[rows] + 1, orientations[rows])
        keypoints, descriptors, *rest = (column.to(device) for column in columns)
        return Points(keypoints, descriptors, SIZE, *rest)

    return image(keypoints, descriptors, torch.arange(count0)), image(keypoints + 5, noisy, order)


def run(
    engine: Engine, pairs: Sequence[tuple[Points, Points]], adaptivity: Adaptivity, threshold: float = 0.01
) -> list[NetworkOutput]:
    """Prepares and matches."""
    prepared = [tuple(engine.prepare(pair)) for pair in pairs]
    return engine.match(prepared, adaptivity, threshold)


def assert_same(ours: NetworkOutput, reference: NetworkOutput, tolerance: float = 1e-4) -> None:
    """Equal matches, decisions and counts, and scores within the tolerance."""
    for name in ("indices0", "indices1", "layers0", "layers1"):
        assert torch.equal(getattr(ours, name).cpu(), getattr(reference, name).cpu()), name
    assert (ours.stop_layer, ours.num_kept) == (reference.stop_layer, reference.num_kept)
    torch.testing.assert_close(ours.scores.cpu(), reference.scores.cpu(), atol=tolerance, rtol=0)
