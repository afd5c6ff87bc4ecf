# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Which engine runs a network on a device."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

import torch

from lightmatch_ros.core.engine import native
from lightmatch_ros.core.engine.cpu import CpuEngine
from lightmatch_ros.core.engine.cuda import CudaEngine
from lightmatch_ros.core.engine.cuda.graphs import replay_s
from lightmatch_ros.core.engine.cuda.trial import working_scheme
from lightmatch_ros.core.engine.eager import EagerEngine
from lightmatch_ros.core.engine.interface import Engine, Precision
from lightmatch_ros.core.engine.kernels import Kernels, TorchKernels
from lightmatch_ros.core.engine.product import default_precision
from lightmatch_ros.core.lightglue import LightGlue

log = logging.getLogger(__name__)


def create_engine(
    network: LightGlue,
    device: torch.device,
    kind: str = "auto",
    precision: Precision | None = None,
    *,
    batches: Sequence[int] = (1, 2, 4),
    tune: bool = False,
) -> Engine:
    """Builds an engine for a network, which is moved to the device.

    Args:
        network: loaded weights.
        device: where it runs.
        kind: "eager", the reference in float32; "compiled", the fastest for the device; "auto", the same.
        precision: None for the one that the device is fast in.
        batches: pairs that are matched at once; a device that programs are captured for takes other numbers in parts.
        tune: measure on a CUDA device which kernels are fastest; takes seconds in `Engine.warm_up`.
    """
    network = network.to(device)
    if kind == "eager":
        return EagerEngine(network)
    chosen = precision or default_precision(device)
    if device.type == "cuda":
        scheme, clock = working_scheme(network, chosen), replay_s if tune else None
        return CudaEngine(network, chosen, batches=batches, scheme=scheme, clock=clock)
    return CpuEngine(network, chosen, cpu_kernels(chosen, network.architecture.head_dim))


@functools.cache
def cpu_kernels(precision: Precision, head_dim: int) -> Kernels:
    """Returns the C++ kernels, or torch's where those cannot be had; the log says why."""
    try:
        return native.load_kernels(precision, head_dim)
    except native.NativeBuildError as reason:
        log.warning("matching runs on torch's kernels, which are slower: %s", reason)
        return TorchKernels()
