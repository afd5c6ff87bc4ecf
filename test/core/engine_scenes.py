# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Networks that really stop and prune, and points that really match; see `lightglue_cases` for the comparison."""

import torch

from lightmatch_ros.core.lightglue import Architecture, LightGlue, Points

# The kinds of networks that checkpoints exist for, fewer layers where the full depth adds only time.
ARCHITECTURES = {
    "superpoint": Architecture(256, 256, 4, 5),
    "disk": Architecture(128, 256, 4, 3),
    "sift": Architecture(128, 256, 4, 3, True),
    "bundled": Architecture(128, 96, 2, 5, True, 1.0, "log2"),
    "lighterglue": Architecture(64, 96, 1, 6),
    "odd heads": Architecture(64, 40, 1, 3),
    "one layer": Architecture(64, 64, 2, 1),
}
SIZE = (640, 480)


def sharp_network(architecture: Architecture, seed: int = 0) -> LightGlue:
    """Random weights whose confidences and matchabilities spread over (0, 1), and grow with the layer."""
    torch.manual_seed(seed)
    network = LightGlue(architecture).eval().requires_grad_(False)
    narrow = 2 if architecture.descriptor_dim < 200 else 1
    for i, head in enumerate(network.token_confidence):
        head.token[0].weight.mul_(6 * narrow)
        head.token[0].bias.fill_(5 * i / architecture.n_layers - 1)
    for head in network.log_assignment.values():
        head.matchability.weight.mul_(8 * narrow)
        head.matchability.bias.fill_(-1)
        head.final_proj.weight.mul_(2.5 * narrow)
    return network


def points(architecture: Architecture, count: int, seed: int) -> Points:
    """Points of unit descriptors anywhere in the image."""
    generator = torch.Generator().manual_seed(seed)
    return Points(
        torch.rand(count, 2, generator=generator) * torch.tensor(SIZE),
        torch.nn.functional.normalize(torch.randn(count, architecture.input_dim, generator=generator), dim=-1),
        SIZE,
        torch.rand(count, generator=generator) * 20 + 1,
        torch.rand(count, generator=generator) * 6.28,
    )


def seen_again(first: Points, count: int, seed: int) -> Points:
    """As many of the points as there are, shuffled, with noise, and strangers for the rest."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randint(max(len(first), 1), (count,), generator=generator) if len(first) else torch.empty(0).long()
    if not len(first):
        return Points(torch.rand(count, 2), torch.rand(count, first.descriptors.shape[1]), SIZE, *torch.rand(2, count))
    order[: min(count, len(first))] = torch.randperm(len(first), generator=generator)[:count]
    noise = torch.randn(count, first.descriptors.shape[1], generator=generator)
    descriptors = torch.nn.functional.normalize(first.descriptors[order] + 0.02 * noise, dim=-1)
    return Points(
        first.keypoints[order] + 3 * torch.rand(count, 2, generator=generator),
        descriptors,
        SIZE,
        first.scales[order],
        first.orientations[order],
    )
