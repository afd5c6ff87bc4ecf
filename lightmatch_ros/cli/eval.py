# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch eval SET`: precision, recall and AUC of a matcher on pairs of known geometry, beside its peers.

Sets: homography (views of photographs), oxford, fountain, kitchen, kitti06 (folders of these names in --data).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from lightmatch_ros.cli.options import add_matcher_options, matcher_config
from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.device import choose_device
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.evaluation import datasets, photo_pairs
from lightmatch_ros.evaluation.datasets import Pair, PairSet
from lightmatch_ros.evaluation.matchers import PEERS, XFEAT_PEER, FeatureStore, contestants
from lightmatch_ros.evaluation.report import as_json, error_table, table
from lightmatch_ros.evaluation.run import Record, evaluate

FOLDERS = {
    "oxford": datasets.oxford,
    "fountain": datasets.fountain,
    "kitchen": datasets.kitchen,
    "kitti06": datasets.kitti06,
}
SETS = ("homography", *FOLDERS)
# Of a set with up to as many pairs, the error of each is printed.
_FEW_PAIRS = 12
_PIPED_WIDTH = 160


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("eval", help="measure a matcher on pairs of known geometry", description=__doc__)
    parser.add_argument("sets", nargs="+", choices=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with a folder for each set")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photographs of homography (default: DATA/photos)")
    parser.add_argument(
        "--all-photos", action="store_true", help="all photographs, not only the tenth that training leaves out"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        default=["ratio", XFEAT_PEER],
        help="what to compare with (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N pairs of each set; 0 = all")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the random homographies (default: 0)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write a record for each set and matcher")
    add_matcher_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluates; returns 0."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    chosen = [load(name, args) for name in args.sets]  # what is missing is said before anything runs
    reports = []
    missing: set[str] = set()
    for pair_set in chosen:
        records, left_out = measure(pair_set, _config(args, pair_set), args.peers)
        for line in left_out:
            if line not in missing:
                console.print(line, markup=False)
        missing.update(left_out)
        console.print(table(records))
        if len(records[0].errors) <= _FEW_PAIRS:
            console.print(error_table(records))
        reports += [as_json(record, args.seed) for record in records]
        if args.json:  # after each set: an interruption loses no more than one
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(reports, indent=1) + "\n")
    return 0


def load(name: str, args: argparse.Namespace) -> PairSet:
    """Reads a set's description.

    Raises:
        ConfigurationError: no folder given, or not such a one.
    """
    if args.limit < 0:
        raise ConfigurationError(f"--limit: got {args.limit}, wanted 0 or more")
    if args.data is None and (name != "homography" or args.photos is None):
        raise ConfigurationError(f"{name}: wanted --data DIR" + (" or --photos DIR" if name == "homography" else ""))
    if name == "homography":
        count = args.limit or photo_pairs.NUM_PAIRS
        return photo_pairs.homography(args.photos or args.data / "photos", args.seed, count, args.all_photos)
    if not (args.data / name).is_dir():
        raise ConfigurationError(f"{name}: got no folder {args.data / name}, wanted the set there")
    return FOLDERS[name](args.data / name).limited(args.limit)


def measure(pair_set: PairSet, config: MatcherConfig, peers: list[str]) -> tuple[list[Record], list[str]]:
    """Runs all matchers over a set; returns the records and a line for each peer that is left out."""
    rows, missing = contestants(config, peers)
    store = FeatureStore(config, choose_device(config.device))
    return evaluate(pair_set, rows, store, partial(_track, pair_set.name)), missing


def _config(args: argparse.Namespace, pair_set: PairSet) -> MatcherConfig:
    """The user's settings; the number of keypoints is the set's where the user does not say."""
    config = matcher_config(args)
    given = args.max_keypoints is not None or any(text.startswith("max_keypoints=") for text in args.set)
    return config if given else dataclasses.replace(config, max_keypoints=pair_set.max_keypoints)


def _track(name: str, pairs: Sequence[Callable[[], Pair]]) -> Iterable[Callable[[], Pair]]:
    return track(pairs, name, console=Console(stderr=True), transient=True)
