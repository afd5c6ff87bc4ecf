# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from the parameter schema: config/lightmatch.yaml and the parameter table of the README.

Run as ``python -m lightmatch_ros.ros.generate`` in the repository's root.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from lightmatch_ros.core import schema
from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.schema import Parameter

YAML = Path("config/lightmatch.yaml")
README = Path("README.md")
BEGIN, END = "<!-- parameters: generated -->", "<!-- end of parameters -->"
HEADER = """\
# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
# Every parameter with its default. Generated from the schema (make config): copy it, edit the copy.
/**:
  ros__parameters:
"""


def literal(value: object) -> str:
    """A value as YAML and as ROS's parameter parser read it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def yaml_text() -> str:
    """The parameter file."""
    lines = []
    group = ""
    for declared in schema.parameters(NodeConfig):
        *path, name = declared.name.split(".")
        if path and path[0] != group:
            group = path[0]
            lines.append(f"    {group}:")
        indent = " " * (6 if path else 4)
        lines += textwrap.wrap(_comment(declared), 110, initial_indent=indent + "# ", subsequent_indent=indent + "#   ")
        lines.append(f"{indent}{name}: {literal(declared.default)}")
    return HEADER + "\n".join(lines) + "\n"


def table_text() -> str:
    """The parameter table, Markdown."""
    rows = ["| parameter | default | range | live | meaning |", "|---|---|---|---|---|"]
    for p in schema.parameters(NodeConfig):
        live = "yes" if p.live else ""
        rows.append(f"| `{p.name}` | `{literal(p.default)}` | {p.range_text()} | {live} | {p.description} |")
    return "\n".join(rows)


def readme_text(text: str) -> str:
    """The README with a fresh table between the two markers."""
    block = f"{BEGIN}\n{table_text()}\n{END}"
    return re.sub(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL)


def _comment(declared: Parameter) -> str:
    allowed = declared.range_text()
    return declared.description + (f" ({allowed})" if allowed else "") + ("" if declared.live else " [read-only]")


def main() -> None:
    """Writes both files."""
    YAML.write_text(yaml_text())
    README.write_text(readme_text(README.read_text()))


if __name__ == "__main__":
    main()
