# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Records as a table for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.table import Table

from lightmatch_ros import __version__
from lightmatch_ros.evaluation import estimate, metrics
from lightmatch_ros.evaluation.matchers import Setting
from lightmatch_ros.evaluation.run import ALL, REPEATS, Record

Json = dict[str, "Json"] | list["Json"] | str | int | float | None

_PERCENT = ("precision", "recall", "auc", "kept_ratio", "inliers_kept", "inlier_count")
# Heads of the columns, where the figure's name is too long for a table.
_HEADS = {"stop_layer": "layers", "kept_ratio": "kept", "inliers_kept": "inl. kept", "inlier_count": "inl. count"}


def table(records: Sequence[Record]) -> Table:
    """Returns one set's records: a row for each contestant, over all pairs and for each group. AUC etc. in percent."""
    first = records[0]
    columns = list(dict.fromkeys(name for record in records for name in record.figures))
    out = Table(title=f"{first.set_name}, {first.num_pairs} pairs", title_justify="left")
    out.add_column("pairs")
    out.add_column("matcher")
    for name in columns:
        out.add_column(_HEADS.get(name, name.replace("auc@", "AUC@")), justify="right")
    for group in (*first.groups, ALL):
        for record in records:
            size, found = (record.num_pairs, record.figures) if group == ALL else record.groups[group]
            label = f"{group} ({size})" if record is first else ""
            out.add_row(label, record.contestant.name, *(_text(name, found) for name in columns))
        out.add_section()
    return out


def error_table(records: Sequence[Record]) -> Table:
    """Returns the error of each pair: corner error in pixels, pose error in degrees; - where there is none."""
    out = Table(title=f"{records[0].set_name}, error of each pair", title_justify="left")
    out.add_column("pair")
    for record in records:
        out.add_column(record.contestant.name, justify="right")
    for name in records[0].errors:
        values = [record.errors[name] for record in records]
        out.add_row(name, *(f"{value:.2f}" if math.isfinite(value) else "-" for value in values))
    return out


def as_json(record: Record, seed: int) -> dict[str, Json]:
    """Returns a record as plain values; an infinite error is null."""
    return {
        "set": record.set_name,
        "matcher": record.contestant.name,
        "n_pairs": record.num_pairs,
        "figures": dict(record.figures),
        "groups": {name: {"n_pairs": size, "figures": dict(found)} for name, (size, found) in record.groups.items()},
        "errors": {name: value if math.isfinite(value) else None for name, value in record.errors.items()},
        "settings": {**_estimation(), **record.contestant.settings},
        "version": __version__,
        "seed": seed,
    }


def _estimation() -> dict[str, Setting]:
    return {
        "correct_px": metrics.CORRECT_PX,
        "correct_epipolar": metrics.CORRECT_EPIPOLAR,
        "estimator": "USAC_MAGSAC",
        "homography_threshold_px": estimate.HOMOGRAPHY_THRESHOLD_PX,
        "essential_threshold_px": estimate.ESSENTIAL_THRESHOLD_PX,
        "estimations": REPEATS,
    }


def _text(name: str, found: Mapping[str, float]) -> str:
    if name not in found:
        return "-"
    return f"{100 * found[name]:.1f}" if name.split("@")[0] in _PERCENT else f"{found[name]:.1f}"
