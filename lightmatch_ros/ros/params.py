# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The bridge between the parameter schema and ROS parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from lightmatch_ros.core import schema
from lightmatch_ros.core.schema import Parameter

Config = TypeVar("Config")

# Declared by rclpy itself on every node.
BUILT_IN = ("use_sim_time", "start_type_description_service")
LARGEST = {int: 2**63 - 1, float: float(2**1023)}


def declare(node: Node, config: Config) -> Config:
    """Declares every parameter of a configuration on a node and returns the configuration with the user's values.

    The node must have been made with ``automatically_declare_parameters_from_overrides=True``: this is how names
    that the schema does not know come to light.

    Args:
        node: to declare on.
        config: holds the defaults.

    Raises:
        ConfigurationError: an unknown name, a wrong type, a value out of range.
    """
    given = {p.name: _plain(p.value) for p in node.get_parameters_by_prefix("").values()}
    wanted = {name: value for name, value in given.items() if name not in BUILT_IN and value is not None}
    config = schema.with_values(config, wanted)
    for declared in schema.parameters(type(config)):
        if node.has_parameter(declared.name):
            node.undeclare_parameter(declared.name)
        value = _ros(schema.value_of(config, declared.name))
        node.declare_parameter(declared.name, value, descriptor(declared), ignore_override=True)
    return config


def updated(config: Config, changes: Iterable[RosParameter]) -> Config:
    """Returns the configuration with the values that ROS was asked to set; parameters of rclpy itself are passed over.

    Raises:
        ConfigurationError: as `declare`.
    """
    return schema.with_values(config, {p.name: _plain(p.value) for p in changes if p.name not in BUILT_IN})


def descriptor(declared: Parameter) -> ParameterDescriptor:
    """Describes a parameter to ROS: text, range, read-only where it needs a restart."""
    out = ParameterDescriptor(
        name=declared.name,
        description=declared.description,
        additional_constraints=declared.range_text(),
        read_only=not declared.live,
    )
    kind = type(declared.default)
    if kind is int or kind is float:
        if math.isinf(declared.minimum) and math.isinf(declared.maximum):
            return out
        low = kind(max(declared.minimum, -LARGEST[kind]))
        high = kind(min(declared.maximum, LARGEST[kind]))
        if kind is int:
            out.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        else:
            out.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    return out


def _plain(value: Any) -> Any:
    """ROS arrays come as array.array or list; the schema knows tuples."""
    return value if value is None or isinstance(value, bool | int | float | str) else tuple(value)


def _ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
