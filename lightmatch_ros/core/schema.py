# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A parameter declared once: a dataclass field with its description, its range and whether it may change live."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from lightmatch_ros.core.errors import ConfigurationError

Value = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of the schema.

    Attributes:
        name: dotted, such as "keyframe.max_count".
        default: its value when nobody says otherwise; its type is the parameter's type.
        description: one sentence, with the unit.
        minimum, maximum: inclusive range of a number; infinite where open.
        choices: closed set of a string; empty where free.
        live: may change while the node is active; otherwise read-only after configure.
    """

    name: str
    default: Value
    description: str
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, value: Any) -> Any:
        """Returns the value in the parameter's type.

        Raises:
            ConfigurationError: wrong type, out of range or not a choice.
        """
        value = self._typed(value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not self.minimum <= value <= self.maximum:  # NaN fails too
            raise ConfigurationError(f"{self.name}: got {value}, wanted {self.range_text()}")
        if self.choices and value not in self.choices:
            raise ConfigurationError(f"{self.name}: got {value!r}, wanted one of {', '.join(self.choices)}")
        return value

    def range_text(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return ", ".join(self.choices)
        if isinstance(self.default, bool | str | tuple):
            return ""
        low, high = self.minimum, self.maximum
        if math.isinf(low) and math.isinf(high):
            return "any number"
        if math.isinf(high):
            return f">= {low:g}"
        return f"<= {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"

    def _typed(self, value: Any) -> Any:
        wanted = type(self.default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if wanted is tuple and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise ConfigurationError(f"{self.name}: got {value!r} ({type(value).__name__}), wanted a {wanted.__name__}")
        return value


def parameter(default: Value, description: str, **details: Any) -> Any:
    """Declares a dataclass field as a parameter; ``details`` are the further fields of `Parameter`."""
    return dataclasses.field(default=default, metadata={"description": description, **details})


def parameters(config: type, prefix: str = "") -> Iterator[Parameter]:
    """Yields the parameters of a configuration class, nested groups with a dotted prefix, in order."""
    for field in dataclasses.fields(config):
        name = prefix + field.name
        if "description" in field.metadata:
            yield Parameter(name, cast(Value, field.default), **field.metadata)
        elif isinstance(field.default_factory, type):
            yield from parameters(field.default_factory, name + ".")


def check(config: Any, prefix: str = "") -> None:
    """Checks every value of a configuration against its declaration.

    Raises:
        ConfigurationError: names the first parameter that is wrong.
    """
    for declared in parameters(type(config), prefix):
        declared.check(value_of(config, declared.name.removeprefix(prefix)))


def value_of(config: Any, name: str) -> Any:
    """Returns the value at a dotted name."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def with_values(config: Any, values: dict[str, Any]) -> Any:
    """Returns a copy of a frozen configuration with the values at the given dotted names.

    Raises:
        ConfigurationError: an unknown name, with the nearest known one; a wrong value.
    """
    known = {p.name: p for p in parameters(type(config))}
    for name, value in values.items():
        if name not in known:
            raise ConfigurationError(f"unknown parameter {name!r}{_suggestion(name, known)}")
        config = _replaced(config, name.split("."), known[name].check(value))
    return config


def _suggestion(name: str, known: dict[str, Parameter]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    head, *rest = path
    if rest:
        value = _replaced(getattr(config, head), rest, value)
    return dataclasses.replace(config, **{head: value})
