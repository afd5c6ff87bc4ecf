# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.types import ByteArray

# Command line option: matcher parameter of the same meaning.
MATCHER_OPTIONS = ("features", "weights", "max_keypoints", "resize", "mask", "device", "threads")


def add_matcher_options(parser: argparse.ArgumentParser) -> None:
    """Adds the matcher's parameters, with text and default from the schema."""
    known = {p.name: p for p in schema.parameters(MatcherConfig)}
    for name in MATCHER_OPTIONS:
        declared = known[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(declared.default),
            choices=declared.choices or None,
            help=f"{declared.description} (default: {declared.default})".replace("%", "%%"),
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other matcher parameter, such as depth_confidence=-1",
    )


def matcher_config(args: argparse.Namespace) -> MatcherConfig:
    """The configuration that the options ask for.

    Raises:
        ConfigurationError: an unknown name or a wrong value.
    """
    values = {name: getattr(args, name) for name in MATCHER_OPTIONS if getattr(args, name) is not None}
    kinds = {p.name: type(p.default) for p in schema.parameters(MatcherConfig)}
    for text in args.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {text}: wanted NAME=VALUE")
        try:
            values[name] = kinds.get(name, str)(value)
        except ValueError as error:
            raise ConfigurationError(f"--set {text}: {error}") from error
    return schema.with_values(MatcherConfig(), values)


def write_image(path: str | Path, image: ByteArray) -> None:
    """Writes a picture, its folder made where needed.

    Raises:
        ConfigurationError: the file's ending is not one that OpenCV writes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        data = cv2.imencode(path.suffix or ".png", image)[1]
    except cv2.error as error:
        raise ConfigurationError(
            f"{path}: cannot write a {path.suffix or 'picture'} file, wanted .png or .jpg"
        ) from error
    path.write_bytes(data.tobytes())
