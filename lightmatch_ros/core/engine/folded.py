# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue's weights rewritten so that the same function takes fewer and larger operations.

Exact up to the rounding of float32:

- The rows of the self-attention's projection are ordered queries, keys, values, head by head; of each head's query
  and key channels the even ones come first. Rotary encoding then works on two halves and moves no channels.
- The scale of the attention's scores is multiplied into the query (self) or half of it into both (cross).
- The attention's output projection is multiplied into the first matrix of the update network, which follows it
  without a nonlinearity between.
- The two projections of the cross-attention become one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightmatch_ros.core.lightglue import LightGlue
from lightmatch_ros.core.lightglue.layers import CrossAttention, Layer, SelfAttention


@dataclass(frozen=True, eq=False)
class Affine:
    """Weight (out, in) and bias (out,), float32."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class FoldedBlock:
    """One attention block.

    Attributes:
        project: D -> 3 D, queries, keys, values (self), or D -> 2 D, shared queries and keys, values (cross).
        update_in: 2 D -> 2 D, of the state and the attention's context.
        norm: scale and shift of the layer norm, (2 D,).
        update_out: 2 D -> D.
    """

    project: Affine
    update_in: Affine
    norm: Affine
    update_out: Affine


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """One layer.

    Attributes:
        self_block, cross_block: its attention blocks.
        decide: D -> 2, logits of confidence and matchability; None where the layer lacks one of them.
        assign: D -> D + 1, what similarities are products of, and the logit of matchability; None where there is none.
    """

    self_block: FoldedBlock
    cross_block: FoldedBlock
    decide: Affine | None
    assign: Affine | None


@torch.no_grad()
def fold(network: LightGlue) -> list[FoldedLayer]:
    """Returns the layers of a network in this form, float32, on the network's device."""
    folded = []
    for i, layer in enumerate(network.transformers):
        assert isinstance(layer, Layer)  # for the type checker
        blocks = _self_block(layer.self_attn), _cross_block(layer.cross_attn)
        folded.append(FoldedLayer(*blocks, _decide(network, i), _assign(network, i)))
    return folded


def halves_first(head_dim: int, device: torch.device) -> Tensor:
    """Returns the order of a head's channels, (head_dim,): even ones, then odd ones."""
    channels = torch.arange(head_dim, device=device)
    return torch.cat([channels[0::2], channels[1::2]])


def _self_block(block: SelfAttention) -> FoldedBlock:
    weight, bias = block.Wqkv.weight, block.Wqkv.bias
    dim = weight.shape[1]
    head_dim = dim // block.num_heads
    order = halves_first(head_dim, weight.device)
    # The checkpoint's rows go head, channel, (query, key, value).
    rows = torch.arange(3 * dim, device=weight.device).view(block.num_heads, head_dim, 3)
    q, k, v = rows[:, order, 0].flatten(), rows[:, order, 1].flatten(), rows[..., 2].flatten()
    scale = head_dim**-0.5
    project = Affine(
        torch.cat([weight[q] * scale, weight[k], weight[v]]), torch.cat([bias[q] * scale, bias[k], bias[v]])
    )
    return _with_update(project, block.out_proj, block.ffn)


def _cross_block(block: CrossAttention) -> FoldedBlock:
    scale = (block.to_qk.out_features // block.num_heads) ** -0.25
    qk, v = block.to_qk, block.to_v
    project = Affine(torch.cat([qk.weight * scale, v.weight]), torch.cat([qk.bias * scale, v.bias]))
    return _with_update(project, block.to_out, block.ffn)


def _with_update(project: Affine, output: nn.Linear, ffn: nn.Sequential) -> FoldedBlock:
    first, norm, _, last = ffn
    assert isinstance(first, nn.Linear) and isinstance(norm, nn.LayerNorm) and isinstance(last, nn.Linear)
    dim = output.out_features
    of_state, of_message = first.weight[:, :dim].double(), first.weight[:, dim:].double()
    weight = torch.cat([of_state, of_message @ output.weight.double()], dim=1)
    bias = first.bias.double() + of_message @ output.bias.double()
    return FoldedBlock(
        project,
        Affine(weight.float(), bias.float()),
        Affine(norm.weight.clone(), norm.bias.clone()),
        Affine(last.weight.clone(), last.bias.clone()),
    )


def _decide(network: LightGlue, layer: int) -> Affine | None:
    if layer >= len(network.token_confidence):
        return None
    confidence, matchability = network.confidence(layer), network.head(layer).matchability
    return Affine(
        torch.cat([confidence.weight, matchability.weight]).float(), torch.cat([confidence.bias, matchability.bias])
    )


def _assign(network: LightGlue, layer: int) -> Affine | None:
    if str(layer) not in network.log_assignment:
        return None
    head = network.head(layer)
    project, matchability, scale = head.final_proj, head.matchability, head.final_proj.in_features**-0.25
    return Affine(
        torch.cat([project.weight * scale, matchability.weight]), torch.cat([project.bias * scale, matchability.bias])
    )
