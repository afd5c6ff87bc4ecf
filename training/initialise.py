# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""First weights: before any step the network already matches nearest descriptors mutually.

The input projection is a principal component analysis of the descriptors, scaled to unit variance; heads and the
keys of cross-attention start as the identity, and every layer's update starts small. Training then begins from the
baseline instead of from noise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightmatch_ros.core.lightglue import LightGlue
from lightmatch_ros.core.lightglue.layers import Layer

_ORIENTATION = 3  # column of the position vector
_UPDATE_GAIN = 0.1  # of each layer's last matrix; a guess
_SCORE_GAIN = 1.2  # a guess: similarities of matches come to about 10


def initialise(network: LightGlue, descriptors: Tensor, seed: int) -> None:
    """Sets the first weights of a network that projects its input, in place.

    Args:
        network: the network.
        descriptors: (S, input_dim) a sample of descriptors, S >= input_dim.
        seed: of the random rotation of the components.
    """
    generator = torch.Generator().manual_seed(seed)
    a = network.architecture
    with torch.no_grad():
        if isinstance(network.input_proj, nn.Linear):
            weight, bias = principal_components(descriptors, a.descriptor_dim, generator)
            network.input_proj.weight.copy_(weight)
            network.input_proj.bias.copy_(bias)
        for i, layer in enumerate(network.transformers):
            assert isinstance(layer, Layer)  # for the type checker
            nn.init.eye_(layer.cross_attn.to_qk.weight)
            nn.init.zeros_(layer.cross_attn.to_qk.bias)
            for block in (layer.self_attn, layer.cross_attn):
                last = block.ffn[-1]
                assert isinstance(last, nn.Linear)  # for the type checker
                last.weight.mul_(_UPDATE_GAIN)
                last.bias.zero_()
            nn.init.eye_(network.head(i).final_proj.weight).mul_(_SCORE_GAIN)
            nn.init.zeros_(network.head(i).final_proj.bias)
        if a.scale_orientation:
            frequencies = network.posenc.Wr.weight
            frequencies[:, _ORIENTATION] = whole_frequencies(len(frequencies))


def whole_frequencies(count: int) -> Tensor:
    """Returns the frequencies of the orientation, (count,): 0, 1, 2, 0, 1, 2 ...

    Whole numbers, kept as they are in training: then an angle and the angle plus a turn are encoded alike.
    """
    return (torch.arange(count) % 3).float()


def principal_components(descriptors: Tensor, dim: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Returns weight (dim, input_dim) and bias (dim,) that centre, project and scale descriptors to unit variance.

    The components are rotated at random, so that each attention head sees a fair share of them.
    """
    mean = descriptors.mean(0)
    _, _, components = torch.linalg.svd(descriptors - mean, full_matrices=False)
    rotation, _ = torch.linalg.qr(torch.randn(dim, dim, generator=generator))
    weight = rotation @ components[:dim]
    weight = weight / ((descriptors - mean) @ weight.T).std()
    return weight, -weight @ mean


def freeze_orientation(network: LightGlue) -> None:
    """Removes the orientation frequencies' gradient, in place; see `whole_frequencies`."""
    gradient = network.posenc.Wr.weight.grad
    if gradient is not None and network.architecture.scale_orientation:
        gradient[:, _ORIENTATION] = 0
