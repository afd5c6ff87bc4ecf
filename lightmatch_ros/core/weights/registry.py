# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The pretrained weights that this package knows: what they are for, where they come from, how to recognise them.

Digests of files that others publish are taken over only where at least two independent public sources agree, or where
one source's file also has the size that the publisher states; otherwise they are None and the file is not verified.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lightmatch_ros.core.errors import WeightsError

_LIGHTGLUE = "https://github.com/cvg/LightGlue"
_XFEAT = "https://github.com/verlab/accelerated_features"
_ALIKED = "https://github.com/Shiaoming/ALIKED"


class WeightsKind(enum.Enum):
    """What a checkpoint is loaded into."""

    EXTRACTOR = "extractor"
    MATCHER = "matcher"


@dataclass(frozen=True)
class WeightsFile:
    """One file that holds the weights; the same weights may be known in several formats or exports.

    Attributes:
        filename: its name in every directory that is searched.
        sha256: hexadecimal digest, or None where no trustworthy one is published.
        size_bytes: its length, or None where unknown.
        url: where it can be downloaded, or None.
    """

    filename: str
    sha256: str | None = None
    size_bytes: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class MatcherDefaults:
    """The settings that matcher weights were made for.

    Source: Lindenberger et al., "LightGlue: Local feature matching at light speed", ICCV 2023, and its authors' code.

    Attributes:
        depth_confidence: part of the points that must be confident to stop early; -1 = never stop.
        width_confidence: points of matchability under 1 minus this are pruned; -1 = never prune.
        filter_threshold: smallest score of a match.
        scale_coef: factor on the keypoints' scales before they are encoded.
        scale_encoding: "linear" or "log2".
    """

    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    filter_threshold: float = 0.1
    scale_coef: float = 1.0
    scale_encoding: str = "linear"


@dataclass(frozen=True)
class WeightsEntry:
    """Weights under one name.

    Attributes:
        name: what users write.
        kind: extractor or matcher.
        features: the extractors whose features they are for (a matcher) or that they are (an extractor).
        files: the files that hold them, the first that is found serves.
        licence: SPDX identifier.
        homepage: where they are described.
        bundled: the first file is part of this package.
        note: what else a user should know, a sentence; or empty.
        defaults: settings that matcher weights were made for; without meaning for an extractor.
    """

    name: str
    kind: WeightsKind
    features: tuple[str, ...]
    files: tuple[WeightsFile, ...]
    licence: str
    homepage: str
    bundled: bool = False
    note: str = ""
    defaults: MatcherDefaults = MatcherDefaults()

    @property
    def download(self) -> WeightsFile | None:
        """The file that can be downloaded, if any."""
        return next((file for file in self.files if file.url), None)

    @property
    def filenames(self) -> tuple[str, ...]:
        """The names under which the weights are looked for, each once, in order."""
        return tuple(dict.fromkeys(file.filename for file in self.files))


def _official(
    features: str,
    extractor: str,
    sha256: str | None,
    size_bytes: int | None,
    note: str = "",
    defaults: MatcherDefaults | None = None,
) -> WeightsEntry:
    """LightGlue weights of the release v0.1_arxiv."""
    name = f"{features}_lightglue"
    url = f"{_LIGHTGLUE}/releases/download/v0.1_arxiv/{name}.pth"
    return WeightsEntry(
        name,
        WeightsKind.MATCHER,
        (extractor,),
        (WeightsFile(f"{name}.pth", sha256, size_bytes, url),),
        "Apache-2.0",
        _LIGHTGLUE,
        note=note,
        defaults=defaults or MatcherDefaults(),
    )


def _aliked(variant: str, published: tuple[str, int], exported: tuple[str, int]) -> WeightsEntry:
    """An ALIKED extractor: as its authors publish it, or exported to safetensors (without the buffer dkd.hw_grid)."""
    return WeightsEntry(
        variant,
        WeightsKind.EXTRACTOR,
        (variant,),
        (
            WeightsFile(f"{variant}.pth", *published, f"{_ALIKED}/raw/main/models/{variant}.pth"),
            WeightsFile(f"{variant}.safetensors", *exported),
        ),
        "BSD-3-Clause",
        _ALIKED,
    )


_MATCHERS = (
    WeightsEntry(
        "lightmatch-sift",
        WeightsKind.MATCHER,
        ("sift",),
        (
            WeightsFile(
                "lightmatch-sift.safetensors",
                "a15a0e46bca9ede68df1a910f18d82d280f02877d5c9ac0eaa935470b7c90806",
                3796660,
            ),
        ),
        "Apache-2.0",
        "part of this package",
        bundled=True,
        defaults=MatcherDefaults(scale_encoding="log2"),
    ),
    _official("sift", "sift", "5b52b8d9982d43532dc042606b346bb9594c9f5a4bd6f64362c63866287b4ac0", 47632573),
    WeightsEntry(
        "xfeat-lighterglue",
        WeightsKind.MATCHER,
        ("xfeat",),
        (
            WeightsFile(
                "xfeat-lighterglue.pt",
                "766102df37f11189efe5b0811d1f47c72b22629b79bfabfcfff9d2a2f84654b8",
                None,
                f"{_XFEAT}/raw/main/weights/xfeat-lighterglue.pt",
            ),
        ),
        "Apache-2.0",
        _XFEAT,
        defaults=MatcherDefaults(depth_confidence=-1, width_confidence=0.95),
    ),
    WeightsEntry(
        "xfeat-lighterglue-l3",
        WeightsKind.MATCHER,
        ("xfeat",),
        (
            WeightsFile(
                "xfeat-lighterglue-l3.safetensors",
                "32b8bfd4966972cdc9b23f0490bfb2a92c57f20ebac4df99737643b36f5dab36",
                2195820,
            ),
        ),
        "Apache-2.0",
        _XFEAT,
        note="The first 3 of the 6 layers with the third's assignment head; has no heads to stop or prune with.",
        defaults=MatcherDefaults(depth_confidence=-1, width_confidence=-1),
    ),
    _official("aliked", "aliked-n16", "d975e965b105311a6143194852297dff4f02aea5cc2e10cecfed966ca0e22503", 47632827),
    _official("disk", "disk", "b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335", 47631405),
    _official(
        "superpoint",
        "superpoint",
        "6ff7040d0a497fc6639337946d7538dae07428c18f77a067a0b5a960e7cc551a",
        None,
        note="The extractor SuperPoint has a licence of its own: non-commercial research only.",
    ),
    _official(
        "doghardnet",
        "doghardnet",
        None,
        None,
        defaults=MatcherDefaults(depth_confidence=-1, width_confidence=-1, scale_coef=1 / 6),
    ),
)

_EXTRACTORS = (
    WeightsEntry(
        "xfeat",
        WeightsKind.EXTRACTOR,
        ("xfeat",),
        (
            WeightsFile(
                "xfeat.pt",
                "0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b",
                6247949,
                f"{_XFEAT}/raw/main/weights/xfeat.pt",
            ),
            WeightsFile(
                "xfeat.safetensors", "c56e1cb42a6150591bc4be1ed661734af838d9ceffcf47f2806f484b4f6accb8", 2652096
            ),
        ),
        "Apache-2.0",
        _XFEAT,
    ),
    _aliked(
        "aliked-n16",
        ("5be8704840ed662d9d8c561bf7279c222092674e7eb05fd0feab94899e9d82f2", 2738091),
        ("c2ab3d81c28830d3337798cd692a4e567d2337d52c82f79481199f7aa328df9f", 2719904),
    ),
    _aliked(
        "aliked-t16",
        ("56782336919db220144a884e710e2b6af13b3b8f8da15b915a239078ab471085", 794859),
        ("ab437e6e77955196fbf93cc4304d4204b0e84ab6bbee6c1700a2a7cbfac09469", 776864),
    ),
)

ENTRIES: Mapping[str, WeightsEntry] = MappingProxyType({e.name: e for e in (*_EXTRACTORS, *_MATCHERS)})

# By extractor, best first. None are published for the 64 numbers a point of aliked-t16.
_DEFAULT_MATCHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sift": ("lightmatch-sift", "sift_lightglue"),
        "xfeat": ("xfeat-lighterglue", "xfeat-lighterglue-l3"),
        "aliked-n16": ("aliked_lightglue",),
    }
)


def get_entry(name: str) -> WeightsEntry:
    """Returns the weights of that name.

    Raises:
        WeightsError: unknown name; says the nearest known one.
    """
    if name not in ENTRIES:
        raise WeightsError(f"unknown weights {name!r}{_suggestion(name, ENTRIES)}; known: {', '.join(ENTRIES)}")
    return ENTRIES[name]


def default_matchers(features: str) -> tuple[str, ...]:
    """Returns the names of the matcher weights made for an extractor, best first; empty where there are none."""
    return _DEFAULT_MATCHERS.get(features, ())


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
