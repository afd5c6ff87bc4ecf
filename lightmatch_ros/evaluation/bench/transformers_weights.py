# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A network's weights under the names that transformers has for them."""

from __future__ import annotations

import re

from torch import Tensor

from lightmatch_ros.core.lightglue import LightGlue

# In this order: the longer names first.
_NAMES = (
    (r"^posenc\.Wr\.", "positional_encoder.projector."),
    (r"^input_proj\.", "input_projection."),
    (r"^transformers\.", "transformer_layers."),
    (r"^log_assignment\.", "match_assignment_layers."),
    (r"\.final_proj\.", ".final_projection."),
    (r"\.token\.0\.", ".token."),
    (r"\.(self|cross)_attn\.ffn\.0\.", r".\1_mlp.fc1."),
    (r"\.(self|cross)_attn\.ffn\.1\.", r".\1_mlp.layer_norm."),
    (r"\.(self|cross)_attn\.ffn\.3\.", r".\1_mlp.fc2."),
    (r"\.self_attn\.out_proj\.", ".self_attention.o_proj."),
    (r"\.cross_attn\.to_out\.", ".cross_attention.o_proj."),
    (r"\.cross_attn\.to_v\.", ".cross_attention.v_proj."),
)


def convert(network: LightGlue) -> dict[str, Tensor]:
    """Returns the weights; queries, keys and values apart, the cross-attention's shared ones twice."""
    heads = network.architecture.num_heads
    converted: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        if ".Wqkv." in key:
            # (heads, channels of a head, query | key | value, ...), as `SelfAttention` reads them
            apart = value.unflatten(0, (heads, -1, 3)).unbind(2)
            for letter, part in zip("qkv", apart, strict=True):
                converted[_renamed(key.replace("self_attn.Wqkv", f"self_attention.{letter}_proj"))] = part.flatten(0, 1)
        elif ".to_qk." in key:
            for letter in "qk":
                converted[_renamed(key.replace("cross_attn.to_qk", f"cross_attention.{letter}_proj"))] = value
        else:
            converted[_renamed(key)] = value
    return converted


def _renamed(key: str) -> str:
    for pattern, name in _NAMES:
        key = re.sub(pattern, name, key)
    return key
