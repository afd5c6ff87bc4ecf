# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""lightmatch weights: which pretrained weights there are, fetching them, checking those on this machine."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from rich import progress
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights import (
    ENTRIES,
    Progress,
    WeightsEntry,
    WeightsKind,
    find,
    get_entry,
    load_state_dict,
    locate,
    search_directories,
    verify,
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("weights", help="list, fetch and verify pretrained weights")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="all known weights, and where they are on this machine")
    fetch = actions.add_parser("fetch", help="download weights into the cache, unless they are on this machine")
    fetch.add_argument("name", metavar="NAME", help="registry name, see list")
    check = actions.add_parser("verify", help="read weights on this machine and compare their digests")
    check.add_argument("name", metavar="NAME", nargs="?", help="registry name; all by default")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit status.

    Raises:
        WeightsError: unknown weights, or weights that cannot be had.
    """
    console = Console()
    if args.action == "fetch":
        return _fetch(console, get_entry(args.name))
    if args.action == "verify":
        return _verify(console, args.name)
    return _list(console)


@contextlib.contextmanager
def download_progress(console: Console) -> Iterator[Progress]:
    """Yields what to hand to a download as ``progress``, drawn as a bar that disappears at the end."""
    columns = (progress.TextColumn("downloading"), progress.BarColumn(), progress.DownloadColumn())
    with progress.Progress(*columns, progress.TransferSpeedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _list(console: Console) -> int:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    for heading in ("name", "features", "size", "licence", "on this machine"):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for kind in WeightsKind:
        table.add_row(f"[bold]{kind.value}s[/bold]")
        for entry in ENTRIES.values():
            if entry.kind is kind:
                table.add_row(entry.name, *_details(entry))
    console.print(table)
    for entry in ENTRIES.values():
        if entry.note:
            console.print(f"{entry.name}: {escape(entry.note)}")
    console.print("Searched: the package, " + ", ".join(escape(str(path)) for _, path in search_directories()))
    return 0


def _details(entry: WeightsEntry) -> tuple[str, str, str, str]:
    """Features, size, licence, and how the weights were found."""
    found = find(entry)
    size = found.path.stat().st_size if found else (entry.download or entry.files[0]).size_bytes
    where = found.place if found else "absent" if entry.download else "absent, no URL"
    return ", ".join(entry.features), f"{size / 1e6:.1f} MB" if size else "?", entry.licence, where


def _fetch(console: Console, entry: WeightsEntry) -> int:
    with download_progress(console) as report:
        found = locate(entry, progress=report)
    verify(found.path, entry.files)
    console.print(f"{entry.name}: {escape(str(found.path))} ({found.place})", soft_wrap=True)
    return 0


def _verify(console: Console, name: str | None) -> int:
    entries = [get_entry(name)] if name else list(ENTRIES.values())
    failures = 0
    for entry in entries:
        found = find(entry)
        if found is None:
            console.print(f"{entry.name}: absent")
            failures += name is not None
            continue
        try:
            load_state_dict(found.path, entry)
            known = verify(found.path, entry.files)
        except WeightsError as error:
            failures += 1
            console.print(f"{entry.name}: [red]{escape(str(error))}[/red]", soft_wrap=True)
        else:
            verdict = "digest is right" if known else "can be read; no digest is known"
            console.print(f"{entry.name}: {verdict}: {escape(str(found.path))}", soft_wrap=True)
    return 1 if failures else 0
