# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import KeyframeConfig, MatcherConfig, NodeConfig
from lightmatch_ros.core.errors import ConfigurationError


def test_every_parameter_is_described_and_its_default_allowed():
    declared = list(schema.parameters(NodeConfig))
    assert len({p.name for p in declared}) == len(declared)
    for p in declared:
        assert p.description
        assert p.check(p.default) == p.default


def test_values_replace_defaults_by_dotted_name():
    config = schema.with_values(NodeConfig(), {"keyframe.max_count": 3, "cameras": ["a", "b"]})
    assert config.keyframe == KeyframeConfig(max_count=3)
    assert config.cameras == ("a", "b")
    assert config.matcher == MatcherConfig()


def test_whole_numbers_serve_as_floats():
    value = schema.with_values(NodeConfig(), {"keyframe.max_mb": 5}).keyframe.max_mb
    assert (value, type(value)) == (5.0, float)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("keyframe.max_cout", 3, "did you mean 'keyframe.max_count'"),
        ("nonsense", 3, "unknown parameter 'nonsense'"),
        ("keyframe.max_count", 0, "got 0, wanted 1 to 10000"),
        ("keyframe.max_count", True, "wanted a int"),
        ("keyframe.max_count", 2.5, "wanted a int"),
        ("keyframe.max_mb", math.nan, "got nan"),
        ("keyframe.max_mb", math.inf, None),
        ("matcher.features", "orb", "got 'orb', wanted one of"),
        ("matcher.device", 3, "wanted a str"),
        ("cameras", ["a", 3], "wanted a tuple"),
        ("cameras", ["a", "a"], "different names"),
        ("cameras", [], "one or more"),
    ],
)
def test_wrong_values_say_what_was_wanted(name, value, message):
    if message is None:
        assert schema.with_values(NodeConfig(), {name: value}).keyframe.max_mb == value
        return
    with pytest.raises(ConfigurationError, match=message):
        schema.with_values(NodeConfig(), {name: value})


def test_direct_construction_is_checked_too():
    with pytest.raises(ConfigurationError, match=r"matcher\.max_keypoints"):
        MatcherConfig(max_keypoints=0)
