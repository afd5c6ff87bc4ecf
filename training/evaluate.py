# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Command: what a network finds on held-back photographs, beside SIFT with the ratio test on the same keypoints."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from lightmatch_ros.core.lightglue import LightGlue, load_network
from training import passes
from training.dataset import MIX, Batch, load_cache, validation_batches
from training.export import SCALE_COEF, SCALE_ENCODING
from training.metrics import Tally, auc, corner_error, ratio_matches, tally_batch
from training.state import load_average

THRESHOLDS_PX = (1.0, 3.0, 5.0)


@dataclass
class Scores:
    """Sums over batches for one matcher."""

    tally: Tally = field(default_factory=Tally)
    corner_errors: list[float] = field(default_factory=list)

    def add(self, matches0: Tensor, batch: Batch) -> None:
        """Adds a batch's matches (B, M); homographies where the pair shows one plane."""
        self.tally += tally_batch(matches0, batch)
        for i in batch.is_plane.nonzero().squeeze(1).tolist():
            given = matches0[i] >= 0
            points0 = batch.pixels[0, i][given].cpu().numpy()
            points1 = batch.pixels[1, i][matches0[i][given]].cpu().numpy()
            P = batch.P[:, i].double().cpu().numpy()[..., [0, 1, 3]]  # (2, 3, 3): the plane Z = 0
            width, height = batch.size[0, i].int().tolist()
            self.corner_errors.append(corner_error(points0, points1, P[1] @ np.linalg.inv(P[0]), (width, height)))


def evaluate(checkpoint: Path, batches: Iterable[Batch], threshold: float = 0.1) -> dict[str, Scores]:
    """Returns scores of the ratio test and of each layer of the network."""
    network = load_any(checkpoint)
    scores: dict[str, Scores] = {"ratio 0.8, mutual": Scores()}
    for batch in batches:
        scores["ratio 0.8, mutual"].add(ratio_matches(batch), batch)
        for i, (matches0, _) in enumerate(passes.matches_by_layer(network, batch.points, threshold)):
            scores.setdefault(f"layer {i + 1}", Scores()).add(matches0, batch)
    return scores


def load_any(path: Path) -> LightGlue:
    """Reads a training checkpoint (.pt of training.train) or exported weights (.safetensors)."""
    if path.suffix == ".safetensors":
        return load_network(load_file(str(path)), scale_coef=SCALE_COEF, scale_encoding=SCALE_ENCODING)
    return load_average(path)


def table(scores: dict[str, Scores]) -> Table:
    """Returns the scores as a table, in percent."""
    out = Table("matcher", "precision", "recall", *(f"AUC@{t:g} px" for t in THRESHOLDS_PX))
    for name, s in scores.items():
        areas = [auc(s.corner_errors, t) for t in THRESHOLDS_PX]
        out.add_row(name, *(f"{100 * x:.1f}" for x in (s.tally.precision, s.tally.recall, *areas)))
    return out


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="output of training.generate")
    parser.add_argument("--checkpoint", type=Path, required=True, help="last.pt, or exported .safetensors")
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--keypoints", type=int, default=512)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--mix", type=float, nargs=3, default=MIX, help="shares of upright, any and hard pairs")
    parser.add_argument("--threshold", type=float, default=0.1, help="smallest score of a match")
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's choice")
    args = parser.parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    cache = load_cache(args.cache / "val")
    batches = validation_batches(cache, args.pairs, args.keypoints, args.seed, mix=tuple(args.mix))
    shown = track(batches, "Evaluating", args.pairs // 8)
    Console().print(table(evaluate(args.checkpoint, shown, args.threshold)))


if __name__ == "__main__":
    main()
