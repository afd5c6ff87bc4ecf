# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint's tensors to a network: sizes are read from the tensors, keys are checked one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.lightglue.architecture import Architecture
from lightmatch_ros.core.lightglue.network import LightGlue

# Buffers that official checkpoints may carry and that follow from the number of layers.
DERIVED_KEYS = frozenset({"confidence_thresholds"})


def load_network(
    tensors: Mapping[str, Tensor], *, scale_coef: float = 1.0, scale_encoding: str = "linear"
) -> LightGlue:
    """Builds the network that a checkpoint was made for and loads it.

    Args:
        tensors: the checkpoint, with official key names, old or new, with or without the prefix "matcher.".
        scale_coef: see `Architecture`; not in the tensors.
        scale_encoding: see `Architecture`; not in the tensors.

    Returns:
        The network in evaluation mode, on the CPU, float32. Its architecture tells whether it can be adaptive.

    Raises:
        WeightsError: a missing or unexpected key, or a tensor of another shape, by name.
    """
    tensors = official_names(tensors)
    architecture = read_architecture(tensors, scale_coef=scale_coef, scale_encoding=scale_encoding)
    network = LightGlue(architecture)
    _check_keys(network, tensors)
    network.load_state_dict({key: value.float() for key, value in tensors.items()})
    return network.eval().requires_grad_(False)


def official_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors under the newer official names, without prefix and derived buffers."""
    renamed = {}
    for key, value in tensors.items():
        key = key.removeprefix("matcher.")
        key = re.sub(r"^(self_attn|cross_attn)\.(\d+)\.", r"transformers.\2.\1.", key)
        if key not in DERIVED_KEYS:
            renamed[key] = value
    return renamed


def read_architecture(
    tensors: Mapping[str, Tensor], *, scale_coef: float = 1.0, scale_encoding: str = "linear"
) -> Architecture:
    """Reads the sizes of a network from its tensors.

    Raises:
        WeightsError: not the tensors of a LightGlue network, or of a kind that is not supported.
    """
    layers = {int(found[1]) for key in tensors if (found := re.match(r"transformers\.(\d+)\.", key))}
    if not layers or "posenc.Wr.weight" not in tensors:
        raise WeightsError(
            f"not a LightGlue checkpoint: wanted transformers.0.* and posenc.Wr.weight, got {sorted(tensors)[:3]}"
        )
    n_layers = max(layers) + 1
    half_head_dim, position_dim = tensors["posenc.Wr.weight"].shape
    if position_dim not in (2, 4):
        raise WeightsError(f"posenc.Wr.weight takes {position_dim} numbers a point, wanted 2 or 4")
    dim, input_dim = _widths(tensors)
    return Architecture(
        input_dim=input_dim,
        descriptor_dim=dim,
        num_heads=dim // (2 * half_head_dim),
        n_layers=n_layers,
        scale_orientation=position_dim == 4,
        scale_coef=scale_coef,
        scale_encoding=scale_encoding,
        adaptive=n_layers == 1 or any(key.startswith("token_confidence.") for key in tensors),
    )


def _widths(tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    """Width of the layers and of the descriptors that come in."""
    if "input_proj.weight" in tensors:
        dim, input_dim = tensors["input_proj.weight"].shape
        return int(dim), int(input_dim)
    key = "transformers.0.self_attn.out_proj.weight"
    if key not in tensors:
        raise WeightsError(f"missing key {key}")
    return int(tensors[key].shape[0]), int(tensors[key].shape[1])


def _check_keys(network: LightGlue, tensors: Mapping[str, Tensor]) -> None:
    wanted = network.state_dict()
    missing, unexpected = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    wrong = [
        f"{key} has shape {tuple(tensors[key].shape)}, wanted {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & tensors.keys())
        if tensors[key].shape != wanted[key].shape
    ]
    faults = [f"missing key {key}" for key in missing] + [f"unexpected key {key}" for key in unexpected] + wrong
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise WeightsError("checkpoint does not fit: " + "; ".join(faults[:5]) + more)
