# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The layouts of RViz and Foxglove: they show topics and fields of the node."""

import json
import re

import yaml
from agreed_interfaces import FIELDS, ROOT


def topics_in(value):
    """Yields every string in a parsed file that looks like a topic."""
    if isinstance(value, str) and value.startswith("/"):
        yield value.split(".")[0]
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from topics_in(part)


OUTPUTS = ["matches", "homography", "relative_pose", "pose", "keyframe", "match_image"]
TOPICS = {f"/lightmatch/camera/{name}" for name in OUTPUTS} | {
    "/lightmatch/status",
    "/diagnostics",
    "/camera/image_raw",
}


def test_rviz_layout_shows_topics_of_the_node():
    layout = yaml.safe_load((ROOT / "config" / "lightmatch.rviz").read_text())
    topics = set(topics_in(layout["Visualization Manager"]))
    assert "/lightmatch/camera/match_image" in topics
    assert topics <= TOPICS


def test_foxglove_layout_shows_topics_and_fields_of_the_node():
    layout = json.loads((ROOT / "config" / "lightmatch_foxglove.json").read_text())
    assert set(topics_in(layout["configById"])) <= TOPICS
    types = {"/lightmatch/status": "MatcherStatus", "/lightmatch/camera/relative_pose": "RelativePose"}
    paths = re.findall(r'"value": "([^".]+)\.(\w+)"', json.dumps(layout))
    assert paths
    for topic, field in paths:
        assert f" {field}|" in FIELDS[types[topic]] + "|"


def test_foxglove_layout_places_every_panel():
    layout = json.loads((ROOT / "config" / "lightmatch_foxglove.json").read_text())
    placed = re.findall(r'"(?:first|second)": "([^"]+)"', json.dumps(layout["layout"]))
    assert sorted(placed) == sorted(layout["configById"])
