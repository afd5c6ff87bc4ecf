# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch bench`: time and memory of a match over numbers of keypoints, beside peers in the same rounds.

Parts: speed (random weights of the official size, full depth; with and without a kept keyframe), memory (peak above
the weights, in a process of its own), varying (other numbers of keypoints in every image), adaptive (bundled weights
on neighbouring images, beside full depth). Peers have the same weights; what is not installed is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lightmatch_ros.core.device import choose_device, limit_threads
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.evaluation.bench import speed
from lightmatch_ros.evaluation.bench.adaptive import adaptive, load_images
from lightmatch_ros.evaluation.bench.contestants import ENGINES, default_engines
from lightmatch_ros.evaluation.bench.environment import describe
from lightmatch_ros.evaluation.bench.peers import PEERS
from lightmatch_ros.evaluation.bench.picture import draw
from lightmatch_ros.evaluation.bench.records import Part, Record, as_json, losses
from lightmatch_ros.evaluation.bench.workload import random_network
from lightmatch_ros.simulation.sources import ROOM

PARTS = tuple(part.value for part in Part)
_PIPED_WIDTH = 180
# Heads of the columns and how their figures are written.
_FORMS = {
    "ms": ".1f", "IQR": ".1f", "p99": ".1f", "p99/ms": ".2f", "GEMM": ".0%", "peak MB": ".1f", "layers": ".1f",
    "kept": ".0%", "agree": ".1%", "build s": ".2f", "warm-up s": ".2f", "compile s": ".2f",
}  # fmt: skip


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("bench", help="measure speed and memory beside peers", description=__doc__)
    parser.add_argument(
        "--keypoints", type=int, nargs="+", default=[512, 1024, 2048], metavar="N", help="default: 512 1024 2048"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=["kornia"], help="what to compare with (default: %(default)s)"
    )
    parser.add_argument(
        "--engines", nargs="*", choices=ENGINES, help="this project's; auto = the default (default: all that fit)"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--repetitions", type=int, default=20, metavar="N", help="rounds (default: 20)")
    parser.add_argument(
        "--pairs", type=Path, metavar="DIR", help="images for adaptive, in order (default: a rendering)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of a CPU; 0 = all cores (default: 0)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write a record for each contestant and number")
    parser.add_argument("--png", type=Path, metavar="OUT", help="picture (default: beside the JSON)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures; returns 0."""
    _check(args)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    device = choose_device(args.device)
    limit_threads(args.threads)
    environment = describe(device)
    records: list[Record] = []
    for found in _measure(args, device, lambda line: console.print(line, markup=False)):
        records += found
        console.print(table(found))
        if args.json:  # after each table: an interruption loses no more than one
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps([as_json(record, environment) for record in records], indent=1) + "\n")
    for line in losses(records):
        console.print(line, markup=False)
    picture = args.png or (args.json and args.json.with_suffix(".png"))
    if picture and records:
        draw(picture, records, environment)
    return 0


def _check(args: argparse.Namespace) -> None:
    for name, least in (("keypoints", 1), ("repetitions", 1), ("threads", 0)):
        value = getattr(args, name)
        if min(value if isinstance(value, list) else [value]) < least:
            raise ConfigurationError(f"--{name}: got {value}, wanted {least} or more")
    if args.png is None and args.json is not None and args.json.suffix == ".png":
        raise ConfigurationError(f"--json {args.json}: the picture would overwrite it, wanted another ending")


def _measure(args: argparse.Namespace, device: torch.device, say: Callable[[str], None]) -> Iterator[list[Record]]:
    parts = [part for part in Part if part.value in args.parts]
    if parts != [Part.ADAPTIVE]:
        engines = default_engines(device) if args.engines is None else args.engines
        contestants = speed.assemble(random_network(), device, engines, args.peers, args.keypoints)
        for line in contestants.left_out:
            say(line)
        for count in args.keypoints:
            yield from _at_full_depth(contestants, count, parts, args.repetitions, say)
    if Part.ADAPTIVE in parts:
        images = load_images(args.pairs, args.repetitions)
        for count in args.keypoints:
            found = adaptive(images, count, max(1, args.repetitions // (len(images) - 1)), device)
            yield [dataclasses.replace(record, images=args.pairs.name if args.pairs else ROOM) for record in found]


def _at_full_depth(
    contestants: speed.Field, count: int, parts: Sequence[Part], rounds: int, say: Callable[[str], None]
) -> Iterator[list[Record]]:
    if not contestants.entries:
        return
    if Part.SPEED in parts or Part.MEMORY in parts:
        timed = Part.SPEED in parts
        found = speed.speed(contestants, count, rounds) if timed else speed.unmeasured(contestants, count)
        if Part.MEMORY in parts:
            found, failed = speed.with_memory(contestants, found)
            for line in failed:
                say(line)
        yield found
    if Part.VARYING in parts:
        yield speed.varying(contestants, count, rounds)


def table(records: Sequence[Record]) -> Table:
    """Returns the records of one round: a row for each contestant, a column for each that it is compared with."""
    first = records[0]
    rivals = list(dict.fromkeys(name for record in records for name in record.speedup))
    out = Table(title=f"{first.part.value}, {first.keypoints} keypoints", title_justify="left")
    rows = [_figures(record) for record in records]
    heads = [head for head in rows[0] if any(row[head] is not None for row in rows)]
    out.add_column("matcher")
    for head in (*heads, *(f"vs {name}" for name in rivals)):
        out.add_column(head, justify="right")
    for record, row in zip(records, rows, strict=True):
        factors = (_text(record.speedup.get(name), ".2fx") for name in rivals)
        out.add_row(record.label, *(_text(row[head], _FORMS[head]) for head in heads), *factors)
    return out


def _figures(record: Record) -> dict[str, float | None]:
    found = record.statistics
    times = (found.median_ms, found.iqr_ms, found.p99_ms) if found else (None,) * 3
    others = (
        record.p99_ratio, record.gemm_fraction, record.peak_mb, record.stop_layer, record.kept_ratio,
        record.agreement, record.build_s, record.warm_up_s, record.compile_s,
    )  # fmt: skip
    return dict(zip(_FORMS, (*times, *others), strict=True))


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form.removesuffix('x')}}{'x' if form.endswith('x') else ''}"
