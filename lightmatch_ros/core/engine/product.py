# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Matrix products with constant weights, in the engine's precision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.cache import processor_flags
from lightmatch_ros.core.engine.folded import Affine
from lightmatch_ros.core.engine.interface import Precision

DTYPE = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16}


def cpu_multiplies_bf16() -> bool:
    """Tells whether the processor multiplies bfloat16 in hardware: AVX512_BF16 or AMX. Without, it is slower."""
    return bool({"avx512_bf16", "amx_bf16"} & processor_flags())


def default_precision(device: torch.device) -> Precision:
    """Returns the precision that a device is fast in."""
    return Precision.BF16 if device.type == "cuda" or cpu_multiplies_bf16() else Precision.FP32


class Product:
    """x W^T + b for any number of rows.

    bfloat16 weights are laid out once as oneDNN wants them: 10 % faster than F.linear, which lays them out each time.
    """

    def __init__(self, affine: Affine, precision: Precision) -> None:
        self.weight, self.bias = affine.weight.to(DTYPE[precision]), affine.bias.to(DTYPE[precision])
        self._packed: Tensor | None = None
        if precision is Precision.BF16 and cpu_multiplies_bf16() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, None)

    def __call__(self, x: Tensor) -> Tensor:
        """Returns (R, out) for x (R, in), contiguous, of the weights' type."""
        if self._packed is None:
            return F.linear(x, self.weight, self.bias)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return product
