# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The pose picture: estimated against true rotation and translation direction over the frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightmatch_ros.core.types import DoubleArray

COLOURS = ("tab:red", "tab:green", "tab:blue")


def plot_poses(
    path: str | Path, frame_ids: Sequence[int], estimated: DoubleArray, true: DoubleArray, title: str = ""
) -> None:
    """Writes the picture.

    Args:
        path: PNG file.
        frame_ids: (N,) of the frames.
        estimated: (N, 4, 4) T_0_from_1; NaN where not known.
        true: (N, 4, 4) T_0_from_1; NaN where not known.
        title: above the picture.
    """
    figure = Figure(figsize=(11, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    _plot(upper, frame_ids, _rotations_deg(estimated), _rotations_deg(true))
    upper.set_ylabel("rotation vector, degrees")
    upper.set_title(title or "camera in the keyframe's frame: estimated (dots) and true (lines)")
    _plot(lower, frame_ids, _directions(estimated), _directions(true))
    lower.set_ylabel("direction of translation")
    lower.set_ylim(-1.1, 1.1)
    lower.set_xlabel("frame")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _plot(axes: Axes, frame_ids: Sequence[int], estimated: DoubleArray, true: DoubleArray) -> None:
    for axis, colour in enumerate(COLOURS):
        axes.plot(frame_ids, true[:, axis], color=colour, linewidth=1, label="xyz"[axis])
        axes.plot(frame_ids, estimated[:, axis], ".", color=colour, markersize=4)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", ncols=3)


def _rotations_deg(poses: DoubleArray) -> DoubleArray:
    unknown = np.full(3, np.nan)
    vectors = [cv2.Rodrigues(T[:3, :3])[0].ravel() if np.isfinite(T[:3, :3]).all() else unknown for T in poses]
    return np.degrees(np.reshape(vectors, (-1, 3)))


def _directions(poses: DoubleArray) -> DoubleArray:
    translations = np.reshape(poses, (-1, 4, 4))[:, :3, 3]
    lengths = np.linalg.norm(translations, axis=1, keepdims=True)
    return np.divide(translations, lengths, out=np.full_like(translations, np.nan), where=lengths > 0)
