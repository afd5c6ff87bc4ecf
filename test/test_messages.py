# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The files of messages and services: their fields, constants and comments."""

import re

import pytest
from agreed_interfaces import FIELDS, ROOT

INTERFACES = sorted((ROOT / "lightmatch_msgs").glob("*/*.*"))
PAIR_TYPES = {"KEYFRAME": 0, "PREVIOUS": 1, "STEREO": 2, "LOOP": 3, "SERVICE": 4}
MODELS = {"MODEL_NONE": 0, "MODEL_ESSENTIAL": 1, "MODEL_HOMOGRAPHY": 2, "MODEL_PNP": 3}
INLIER_BITS = {"INLIER_SELECTED": 1, "INLIER_ESSENTIAL": 2, "INLIER_HOMOGRAPHY": 4}


def declarations(path):
    """Yields (line, whether a comment belongs to it): a comment behind it, or right above it or its neighbours."""
    commented = False
    for line in path.read_text().splitlines():
        text, _, comment = line.partition("#")
        if text.strip() == "---" or not line.strip():
            commented = False
        elif not text.strip():
            commented = commented or bool(comment.strip("# "))
        else:
            yield text.strip(), commented or bool(comment.strip())


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_field_and_constant_has_a_comment(path):
    assert [text for text, commented in declarations(path) if not commented] == []


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_fields_are_the_agreed_ones(path):
    assert "|".join(text for text, _ in declarations(path) if "=" not in text) == FIELDS[path.stem]


def test_all_interfaces_are_there_and_built():
    assert {path.stem for path in INTERFACES} == set(FIELDS)
    built = re.findall(r'"((?:msg|srv)/\w+\.\w+)"', (ROOT / "lightmatch_msgs" / "CMakeLists.txt").read_text())
    assert sorted(built) == [f"{path.parent.name}/{path.name}" for path in INTERFACES]


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("MatchArray", {**PAIR_TYPES, **INLIER_BITS}),
        ("Homography", PAIR_TYPES),
        ("RelativePose", {**PAIR_TYPES, **MODELS}),
    ],
)
def test_constants(name, constants):
    text = (ROOT / "lightmatch_msgs" / "msg" / f"{name}.msg").read_text()
    assert {k: int(v) for k, v in re.findall(r"^uint8 (\w+)=(\d+)", text, re.MULTILINE)} == constants
