# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The numbers that define a LightGlue network."""

from __future__ import annotations

from dataclasses import dataclass

from lightmatch_ros.core.errors import WeightsError

SCALE_ENCODINGS = ("linear", "log2")


@dataclass(frozen=True)
class Architecture:
    """Sizes of a LightGlue network and the meaning of its inputs.

    Attributes:
        input_dim: length of the descriptors that come in.
        descriptor_dim: width of the layers; other than input_dim, a projection comes first.
        num_heads: attention heads of each block.
        n_layers: layers of one self- and one cross-attention block.
        scale_orientation: the positional encoding also sees each point's scale and orientation.
        scale_coef: factor on the scales before they are encoded.
        scale_encoding: "linear" as in the official checkpoints, or "log2".
        adaptive: every layer has an assignment head, every layer but the last a confidence head.

    Raises:
        WeightsError: sizes that do not fit each other.
    """

    input_dim: int = 256
    descriptor_dim: int = 256
    num_heads: int = 4
    n_layers: int = 9
    scale_orientation: bool = False
    scale_coef: float = 1.0
    scale_encoding: str = "linear"
    adaptive: bool = True

    def __post_init__(self) -> None:
        if min(self.input_dim, self.descriptor_dim, self.num_heads, self.n_layers) < 1:
            raise WeightsError(f"got {self}, wanted all sizes >= 1")
        if self.descriptor_dim % (2 * self.num_heads):
            raise WeightsError(
                f"descriptor_dim {self.descriptor_dim} with {self.num_heads} heads: wanted an even width for each head"
            )
        if self.scale_encoding not in SCALE_ENCODINGS:
            raise WeightsError(f"scale encoding {self.scale_encoding!r}, wanted one of {SCALE_ENCODINGS}")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.descriptor_dim // self.num_heads

    @property
    def position_dim(self) -> int:
        """Length of the vector that the positional encoding sees: x, y and, where used, scale, orientation."""
        return 4 if self.scale_orientation else 2
