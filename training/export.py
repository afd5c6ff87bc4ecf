# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Command: write the trained network as the package's safetensors file, with what is needed to use it as metadata."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from lightmatch_ros.core.lightglue import load_network

SCALE_COEF, SCALE_ENCODING = 1.0, "log2"


def export(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Writes tensors under the official key names, float32.

    Args:
        tensors: state of a `LightGlue` network.
        path: .safetensors file.
        metadata: texts to keep with them; those that loading needs are added.

    Raises:
        WeightsError: tensors that the package could not load.
    """
    network = load_network(tensors, scale_coef=SCALE_COEF, scale_encoding=SCALE_ENCODING)
    a = network.architecture
    needed = {
        "features": "sift",
        "scale_coef": str(SCALE_COEF),
        "scale_encoding": SCALE_ENCODING,
        "architecture": f"LightGlue, {a.n_layers} layers, width {a.descriptor_dim}, {a.num_heads} heads",
    }
    stored = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(stored, str(path), metadata={**metadata, **needed})


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("--tensors", type=Path, required=True, help="output of training.confidence")
    parser.add_argument("--output", type=Path, required=True, help=".safetensors file to write")
    parser.add_argument("--metadata", nargs="*", default=[], metavar="KEY=TEXT", help="version, recipe, seed, commit")
    args = parser.parse_args(arguments)
    tensors = torch.load(args.tensors, map_location="cpu", weights_only=True)
    export(tensors, args.output, dict(item.split("=", 1) for item in args.metadata))


if __name__ == "__main__":
    main()
