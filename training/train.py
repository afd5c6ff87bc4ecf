# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Command: train a matcher on a cache of views, for a given time."""

from __future__ import annotations

import argparse
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from lightmatch_ros.core.lightglue import Architecture, LightGlue, load_network
from training import passes, state
from training.dataset import Batch, Cache, PairSampler, assemble, load_cache, validation_batches
from training.features import root_sift
from training.initialise import freeze_orientation, initialise
from training.metrics import Tally, tally_batch

LOG = logging.getLogger("training")
_LONGEST_STEP_S = 10.0  # what lasted longer was stopped from outside, and does not count


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        minutes: length of the schedule, of the run's own clock, whatever else the machine does.
        learning_rate: at its peak.
        batch_keypoints: pairs times keypoints of a batch: 4,096 is 16 pairs of 256.
        warmup: part of the time in which the learning rate rises.
        ema_decay: of the average of the weights.
        clip: largest norm of the gradient.
        seed: of first weights and of the pairs.
        early_keypoints: one of these is each batch's number of keypoints; short sets first buy more steps.
        late_keypoints: the same for the last part of the time.
        late_from: where that begins.
        layer_weights: of the layers' losses, mean 1; empty for equal ones.
    """

    minutes: float
    learning_rate: float = 1.2e-3
    batch_keypoints: int = 4096
    warmup: float = 0.02
    ema_decay: float = 0.999
    clip: float = 1.0
    seed: int = 0
    early_keypoints: tuple[int, ...] = (128, 192, 256, 256)
    late_keypoints: tuple[int, ...] = (192, 256, 384, 512)
    late_from: float = 0.7
    layer_weights: tuple[float, ...] = ()

    def rate(self, progress: float) -> float:
        """Learning rate at a part of the time, 0 to 1: linear warm-up, then a cosine down to 1 %."""
        if progress < self.warmup:
            return self.learning_rate * max(progress / self.warmup, 0.01)
        done = min((progress - self.warmup) / (1 - self.warmup), 1.0)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def first_network(architecture: Architecture, cache: Cache, seed: int) -> LightGlue:
    """Returns a network with first weights; see `initialise`."""
    torch.manual_seed(seed)
    network = LightGlue(architecture)
    views = torch.randperm(len(cache.count), generator=torch.Generator().manual_seed(seed))[:400]
    sample = [cache.descriptors[v, : min(64, int(cache.count[v]))] for v in views]
    initialise(network, root_sift(torch.cat(sample).cpu()), seed)
    return network


def train_step(run: state.Run, batch: Batch, recipe: Recipe, *, autocast: bool) -> torch.Tensor:
    """One step of the optimiser; returns the loss after each layer, (L,)."""
    device = batch.pixels.device
    with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        losses = passes.deep_loss(run.network, batch.points, batch.labels)
    run.optimizer.zero_grad()
    weights = losses.new_tensor(recipe.layer_weights or [1.0] * len(losses))
    (losses * weights).mean().backward()
    freeze_orientation(run.network)
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), recipe.clip)
    run.optimizer.step()
    run.step += 1
    run.pairs += batch.pixels.shape[1]
    state.update_average(run, recipe.ema_decay)
    return losses.detach()


def batches(cache: Cache, sampler: PairSampler, run: state.Run, recipe: Recipe) -> Iterator[Batch]:
    """Yields batches, their size by the run's progress."""
    while True:
        late = run.elapsed_s > recipe.late_from * recipe.minutes * 60
        num_keypoints = int(sampler.rng.choice(recipe.late_keypoints if late else recipe.early_keypoints))
        yield assemble(cache, sampler.choose(max(1, recipe.batch_keypoints // num_keypoints), num_keypoints))


def fit(run: state.Run, cache: Cache, sampler: PairSampler, recipe: Recipe, args: argparse.Namespace) -> None:
    """Trains until the time is up or the program is told to end, with a checkpoint every few minutes."""
    told_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_end.set())
    last, mean_losses = time.perf_counter(), None
    saved_s = run.elapsed_s
    for batch in batches(cache, sampler, run, recipe):
        progress = run.elapsed_s / (recipe.minutes * 60)
        if progress >= 1 or told_to_end.is_set():
            break
        for group in run.optimizer.param_groups:
            group["lr"] = recipe.rate(progress)
        losses = train_step(run, batch, recipe, autocast=args.bf16)
        mean_losses = losses if mean_losses is None else mean_losses.lerp(losses, 0.01)
        now = time.perf_counter()
        run.elapsed_s, last = run.elapsed_s + min(now - last, _LONGEST_STEP_S), now
        if run.step % args.log_every == 0:
            text = " ".join(f"{x:.3f}" for x in mean_losses.tolist())
            LOG.info("%.1f min, step %d, %d pairs, loss %s", run.elapsed_s / 60, run.step, run.pairs, text)
        if run.elapsed_s - saved_s > args.save_minutes * 60:
            checkpoint(run, sampler, args)
            saved_s, last = run.elapsed_s, time.perf_counter()
    checkpoint(run, sampler, args)


def checkpoint(run: state.Run, sampler: PairSampler, args: argparse.Namespace) -> None:
    """Writes the state and logs what the averaged weights do on held-back photographs."""
    state.save(run, sampler, args.output / "last.pt")
    if args.validation is None:
        return
    tally = Tally()
    with torch.inference_mode():
        for batch in args.validation:
            tally += tally_batch(passes.matches_by_layer(run.average, batch.points)[-1][0], batch)
    LOG.info("held back: precision %.4f recall %.4f", tally.precision, tally.recall)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="output of training.generate")
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoints; resumed where there is one")
    parser.add_argument("--minutes", type=float, required=True, help="length of the schedule")
    parser.add_argument(
        "--start", type=Path, help="weights file (.safetensors) to go on from, instead of first weights"
    )
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--batch-keypoints", type=int, default=Recipe.batch_keypoints)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--layer-weights", type=float, nargs="*", default=[], help="of the layers' losses, mean 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="autocast to bfloat16")
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's choice")
    parser.add_argument("--log-every", type=int, default=100, help="steps")
    parser.add_argument("--save-minutes", type=float, default=3.0)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    args = parse(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.output.mkdir(parents=True, exist_ok=True)
    device = torch.device(args.device)
    cache = load_cache(args.cache / "train")
    args.validation = list(validation_batches(load_cache(args.cache / "val").to(device), 96, 256, seed=1))
    recipe = Recipe(
        args.minutes, args.learning_rate, args.batch_keypoints, seed=args.seed, layer_weights=tuple(args.layer_weights)
    )
    if args.start:
        network = load_network(load_file(args.start), scale_encoding="log2").train().requires_grad_(True)
    else:
        architecture = Architecture(128, args.width, args.heads, args.layers, True, 1.0, "log2")
        network = first_network(architecture, cache, args.seed)
    run = state.new_run(network.to(device), args.learning_rate)
    sampler = PairSampler(cache, args.seed)
    if (args.output / "last.pt").exists():
        state.resume(run, sampler, args.output / "last.pt")
        LOG.info("resumed at step %d", run.step)
    checkpoint(run, sampler, args)
    fit(run, cache.to(device), sampler, recipe, args)


if __name__ == "__main__":
    main()
