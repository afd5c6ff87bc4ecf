# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""`lightmatch`: reads the command line and calls the command."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from lightmatch_ros import __version__
from lightmatch_ros.core.errors import LightmatchError

# Modules of this package; each has add_parser(subparsers), which sets `run` as the default of its parser.
COMMANDS = ("match", "sequence", "eval", "bench", "weights", "demo")
EXIT_ERROR = 2


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(prog="lightmatch", description="Learned feature matching, with and without ROS 2.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"lightmatch_ros.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 where the command's own test failed, 2 for an error."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return int(args.run(args))
    except LightmatchError as error:
        sys.stderr.write(f"lightmatch {args.command}: {error}\n")
        return EXIT_ERROR
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
