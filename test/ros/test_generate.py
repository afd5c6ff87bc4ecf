# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The generated files are fresh."""

from pathlib import Path

import yaml

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.ros import generate

ROOT = Path(__file__).parents[2]


def test_parameter_file_is_fresh():
    assert (ROOT / generate.YAML).read_text() == generate.yaml_text(), "run: make config"


def test_readme_table_is_fresh():
    text = (ROOT / generate.README).read_text()
    assert generate.BEGIN in text
    assert text == generate.readme_text(text), "run: make config"


def test_parameter_file_holds_every_default():
    values = yaml.safe_load(generate.yaml_text())["/**"]["ros__parameters"]
    flat = {}
    for name, value in values.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    assert schema.with_values(NodeConfig(), flat) == NodeConfig()
    assert list(flat) == [p.name for p in schema.parameters(NodeConfig)]
