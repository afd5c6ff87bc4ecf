# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How the matcher is doing, as MatcherStatus and as diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lightmatch_msgs.msg import MatcherStatus

from lightmatch_ros.ros.statistics import Snapshot

SHARED = (
    "queue_ms", "extract_ms", "match_ms", "geometry_ms", "publish_ms", "total_ms", "age_ms",
    "processed", "failed", "matches", "inliers", "stop_layer", "kept_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """What computes: fields of MatcherStatus."""

    state: str
    device: str = ""
    precision: str = ""
    compiled: bool = False
    memory_mb: float = 0.0


def status(stamp: Any, engine: Engine, counts: tuple[int, int], now: Snapshot) -> MatcherStatus:
    """Builds the status message.

    Args:
        stamp: builtin_interfaces/Time.
        engine: what computes.
        counts: images received and dropped.
        now: the worker's counters and figures.
    """
    message = MatcherStatus(received=counts[0], dropped=counts[1])
    message.header.stamp = stamp
    for name, value in vars(engine).items():
        setattr(message, name, value)
    for name in SHARED:
        setattr(message, name, getattr(now, name))
    return message


def diagnose(message: MatcherStatus, before: MatcherStatus | None, last_error: str) -> tuple[bytes, str]:
    """Returns level and summary for the time between two status messages."""
    if message.state != "active":
        return DiagnosticStatus.OK, message.state
    earlier = before or MatcherStatus()
    if message.failed > earlier.failed:
        return DiagnosticStatus.ERROR, f"{message.failed - earlier.failed} images failed: {last_error}"
    if message.received == earlier.received:
        return DiagnosticStatus.WARN, "no images"
    if message.processed == earlier.processed:
        return DiagnosticStatus.WARN, "images come, none is processed: waiting for camera_info, or overloaded"
    return DiagnosticStatus.OK, "matching"


def diagnostics(name: str, message: MatcherStatus, level: bytes, summary: str) -> DiagnosticArray:
    """Builds the diagnostics message with every field of the status as a value."""
    fields = [f for f in message.get_fields_and_field_types() if f != "header"]
    values = [KeyValue(key=field, value=_text(getattr(message, field))) for field in fields]
    entry = DiagnosticStatus(level=level, name=f"{name}: matcher", message=summary, hardware_id="", values=values)
    entry.hardware_id = message.device
    array = DiagnosticArray(status=[entry])
    array.header.stamp = message.header.stamp
    return array


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
