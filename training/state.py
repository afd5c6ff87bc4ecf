# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The state of a training run, and its checkpoints: stopped anywhere, it goes on as if it had not been."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lightmatch_ros.core.lightglue import Architecture, LightGlue
from training.dataset import PairSampler


@dataclass(eq=False)
class Run:
    """All that changes while training.

    Attributes:
        network: the weights that are trained.
        average: exponential moving average of them: the weights that are used.
        optimizer: AdamW.
        step: optimiser steps done.
        pairs: pairs seen.
        elapsed_s: time spent in training.
    """

    network: LightGlue
    average: LightGlue
    optimizer: torch.optim.Optimizer
    step: int = 0
    pairs: int = 0
    elapsed_s: float = 0.0


def new_run(network: LightGlue, learning_rate: float, weight_decay: float = 0.01) -> Run:
    """Starts a run: matrices decay, biases, norms and frequencies do not."""
    decays = [p for n, p in network.named_parameters() if p.ndim == 2 and "posenc" not in n]
    others = [p for n, p in network.named_parameters() if p.ndim < 2 or "posenc" in n]
    groups = [{"params": decays, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)
    return Run(network, copy.deepcopy(network).requires_grad_(False), optimizer)


def update_average(run: Run, decay: float) -> None:
    """Moves the average towards the weights; early on faster, so that the first weights are soon forgotten."""
    decay = min(decay, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for mean, value in zip(run.average.parameters(), run.network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


def save(run: Run, sampler: PairSampler, path: Path) -> None:
    """Writes a checkpoint in one step."""
    state: dict[str, Any] = {
        "architecture": asdict(run.network.architecture),
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "pairs": run.pairs,
        "elapsed_s": run.elapsed_s,
        "sampler": sampler.rng.bit_generator.state,
        "torch_rng": torch.get_rng_state(),
    }
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.replace(path)


def resume(run: Run, sampler: PairSampler, path: Path) -> None:
    """Puts a run and its sampler back to a checkpoint."""
    device = next(run.network.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    run.network.load_state_dict(state["network"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.step, run.pairs, run.elapsed_s = state["step"], state["pairs"], state["elapsed_s"]
    sampler.rng.bit_generator.state = state["sampler"]
    torch.set_rng_state(state["torch_rng"].cpu())


def load_average(path: Path) -> LightGlue:
    """Returns the averaged network of a checkpoint, on the CPU, in evaluation mode."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = LightGlue(Architecture(**state["architecture"]))
    network.load_state_dict(state["average"])
    return network.eval()
