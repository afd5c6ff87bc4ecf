# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The benchmark as a picture: time over keypoints, one line for each contestant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lightmatch_ros.evaluation.bench.records import Part, Record
from lightmatch_ros.evaluation.report import Json

_TITLES = {
    Part.SPEED: "full depth, random weights",
    Part.VARYING: "varying numbers of keypoints",
    Part.ADAPTIVE: "bundled weights, neighbouring images",
    Part.MEMORY: "memory above the weights",
}


def draw(path: Path, records: Sequence[Record], environment: Mapping[str, Json]) -> None:
    """Writes a PNG: a panel for each part, medians with bars as long as the IQR, p99 as a tick above.

    Args:
        path: of the file; its folder is made where needed.
        records: one or more.
        environment: from `environment.describe`.
    """
    parts = [part for part in Part if any(record.part is part for record in records)]
    figure = Figure(figsize=(1 + 6 * len(parts), 5.5), layout="constrained")
    for axes, part in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        _panel(axes, part, [record for record in records if record.part is part])
    threads = environment["threads"]
    figure.suptitle(f"{environment['processor']}, {environment['device']}, {threads} thread{'s'[: threads != 1]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=100)


def _panel(axes: Axes, part: Part, records: Sequence[Record]) -> None:
    for i, label in enumerate(dict.fromkeys(record.label for record in records)):
        chosen = sorted((r for r in records if r.label == label), key=lambda record: record.keypoints)
        style = f"C{i % 10}" + ("--" if chosen[0].peer else "-")
        if part is Part.MEMORY:
            known = [(r.keypoints, r.peak_mb) for r in chosen if r.peak_mb is not None]
            axes.plot([x for x, _ in known], [y for _, y in known], style + "o", label=label)
        else:
            _times(axes, chosen, style, label)
    axes.set_title(_TITLES[part])
    axes.set_xlabel("keypoints of each image")
    axes.set_ylabel("MB" if part is Part.MEMORY else "ms for a pair")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        set_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    counts = sorted({record.keypoints for record in records})
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize="small")


def _times(axes: Axes, records: Sequence[Record], style: str, label: str) -> None:
    known = [(record.keypoints, record.statistics) for record in records if record.statistics is not None]
    counts = [count for count, _ in known]
    medians = [found.median_ms for _, found in known]
    halves = [min(found.iqr_ms / 2, 0.9 * found.median_ms) for _, found in known]
    axes.errorbar(counts, medians, halves, fmt=style, marker="o", markersize=4, capsize=3, label=label)
    axes.plot(counts, [found.p99_ms for _, found in known], style[:2], marker="_", linestyle="none", markersize=9)
