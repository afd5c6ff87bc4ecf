# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Command: train the confidence heads on a frozen network, so that it knows when to stop.

A point counts as decided at a layer where the match (or the absence of one) that the layer gives it is the last
layer's. Source: LightGlue (ICCV 2023), section 3.4.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import time
from pathlib import Path

import torch
from torch import Tensor

from lightmatch_ros.core.lightglue import LightGlue
from lightmatch_ros.core.lightglue.assignment import log_assignment
from training import passes
from training.dataset import Batch, Cache, PairSampler, assemble, load_cache
from training.loss import confidence_loss
from training.state import load_average

LOG = logging.getLogger("training")
KEYPOINTS = (256, 512, 512)


def agreement(matches: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """Returns for each layer but the last whether each point's match is the last layer's, (2, B, M) bool.

    Args:
        matches: of each layer, see `passes.matches_by_layer`; both images with M points.
    """
    last = torch.stack(matches[-1])
    return [torch.stack(layer) == last for layer in matches[:-1]]


def heads_loss(network: LightGlue, batch: Batch, caution: float = 1.0) -> tuple[Tensor, Tensor]:
    """Returns the loss summed over the layers, a scalar, and the part of the points that agree, (L - 1,)."""
    with torch.no_grad():
        states = list(passes.states(network, batch.points))
        matches = [
            passes.batch_matches(log_assignment(*network.head(i)(x[0], x[1])), 0.1) for i, x in enumerate(states)
        ]
    agrees = agreement(matches)
    losses = []
    for i, agree in enumerate(agrees):
        losses.append(confidence_loss(network.confidence(i)(states[i]).squeeze(-1), agree, caution))
    return torch.stack(losses).sum(), torch.stack([a.float().mean() for a in agrees])


def fit(network: LightGlue, cache: Cache, minutes: float, seed: int, caution: float) -> None:
    """Trains the heads, in place; nothing else changes."""
    network.requires_grad_(False)
    network.token_confidence.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.token_confidence.parameters(), lr=1e-2, weight_decay=0.0)
    sampler, started = PairSampler(cache, seed), time.perf_counter()
    for step in itertools.count():
        done = (time.perf_counter() - started) / (minutes * 60)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * max(1 - done, 0.02)
        num_keypoints = int(sampler.rng.choice(KEYPOINTS))
        batch = assemble(cache, sampler.choose(max(1, 4096 // num_keypoints), num_keypoints))
        loss, agree = heads_loss(network, batch, caution)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            text = " ".join(f"{x:.3f}" for x in agree.tolist())
            LOG.info(
                "%3.0f %%, step %d, loss %.4f, agreement with the last layer %s", 100 * done, step, loss.item(), text
            )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m training.confidence", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="output of training.generate")
    parser.add_argument("--checkpoint", type=Path, required=True, help="last.pt of training.train")
    parser.add_argument("--output", type=Path, required=True, help="file to write: the network's tensors")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--caution", type=float, default=1.0, help="weight of points that disagree; more stops later")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's choice")
    args = parser.parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    network = load_average(args.checkpoint).to(device)
    fit(network, load_cache(args.cache / "train").to(device), args.minutes, args.seed, args.caution)
    torch.save({key: value.cpu() for key, value in network.state_dict().items()}, args.output)


if __name__ == "__main__":
    main()
