# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The figures: precision, recall, corner error, pose error and the area under an error curve.

Convention: pixel centre = integer, x right, y down; ``x1 ~ H x0`` in pixels, ``X1 = T_1_from_0 X0``, and
``x1^T E x0 = 0`` in normalised coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightmatch_ros.core.types import BoolArray, DoubleArray, FloatArray

# A match is correct within this reprojection error in both images: LightGlue (ICCV 2023), section 4.
CORRECT_PX = 3.0
# A match is correct within this symmetric epipolar distance: SuperGlue (CVPR 2020), section 5.3.
CORRECT_EPIPOLAR = 5e-4
_BEHIND = 1e-9


def auc(errors: Sequence[float], threshold: float) -> float:
    """Returns the area under the curve of recall over error up to a threshold, divided by it: 0 to 1.

    Source: `pose_auc` of SuperGlue's evaluation (CVPR 2020): trapezoids between the sorted errors, from (0, 0).

    Args:
        errors: one for each pair, infinite where nothing was estimated.
        threshold: in the unit of the errors.
    """
    ordered = np.sort(np.asarray(errors, np.float64))
    count = int(np.searchsorted(ordered, threshold))
    recall = np.arange(count + 1) / max(len(ordered), 1)
    x = np.concatenate([[0.0], ordered[:count], [threshold]])
    y = np.append(recall, recall[-1])
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) / threshold)


def transform(H: DoubleArray, points: FloatArray | DoubleArray) -> DoubleArray:
    """Returns points (M, 2) under a homography (3, 3); infinite where they fall behind the other camera.

    The sign of H is such that what both cameras see gets a positive third coordinate.
    """
    mapped = homogeneous(points) @ H.T
    in_front = mapped[:, 2:] > _BEHIND
    return np.where(in_front, mapped[:, :2] / np.where(in_front, mapped[:, 2:], 1), np.inf)


def homogeneous(points: FloatArray | DoubleArray) -> DoubleArray:
    """Returns points (M, 2) with a one, (M, 3)."""
    return np.concatenate([np.asarray(points, np.float64), np.ones((len(points), 1))], 1)


def plane_distances(
    points0: FloatArray, points1: FloatArray, H: DoubleArray, off0: BoolArray, off1: BoolArray
) -> DoubleArray:
    """Returns for each pair of keypoints the larger of both reprojection errors, (M, N), pixels.

    Args:
        points0: (M, 2) pixels.
        points1: (N, 2) pixels.
        H: (3, 3), ``x1 ~ H x0``.
        off0: (M,) keypoints that do not lie on the plane; they are infinitely far from all.
        off1: (N,) likewise.
    """
    there, back = transform(H, points0), transform(np.asarray(np.linalg.inv(H)), points1)
    distances = np.maximum(_pairwise(there, points1), _pairwise(points0, back))
    distances[off0] = np.inf
    distances[:, off1] = np.inf
    return distances


def matchable(distances: DoubleArray) -> BoolArray:
    """Returns which keypoints of image 0 have a true match, (M,), from distances (M, N).

    A true match: each other's nearest, and correct.
    """
    if not distances.size:
        return np.zeros(len(distances), np.bool_)
    nearest1, nearest0 = distances.argmin(1), distances.argmin(0)
    rows = np.arange(len(distances))
    return np.asarray((nearest0[nearest1] == rows) & (distances[rows, nearest1] < CORRECT_PX))


def corner_error_px(estimated: DoubleArray | None, true: DoubleArray, size: tuple[int, int]) -> float:
    """Returns the mean distance of image 0's corners under two homographies, pixels; infinite where there is none.

    Source: HPatches homography estimation as in SuperPoint (CVPRW 2018), section 6.2, and LoFTR (CVPR 2021), 4.1.

    Args:
        estimated: (3, 3) or None.
        true: (3, 3).
        size: (width, height) of image 0.
    """
    if estimated is None:
        return float("inf")
    w, h = size[0] - 1.0, size[1] - 1.0
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]])
    # A wrong estimate may send a corner anywhere, even behind the camera.
    there, truth = homogeneous(corners) @ estimated.T, homogeneous(corners) @ true.T
    with np.errstate(divide="ignore", invalid="ignore"):
        error = float(np.linalg.norm(there[:, :2] / there[:, 2:] - truth[:, :2] / truth[:, 2:], axis=1).mean())
    return error if np.isfinite(error) else float("inf")


def normalise(points: FloatArray, K: DoubleArray) -> DoubleArray:
    """Returns pixels (M, 2) as normalised coordinates, for a camera without skew and distortion."""
    return np.asarray((points - K[[0, 1], [2, 2]]) / K[[0, 1], [0, 1]])


def essential(T_1_from_0: DoubleArray) -> DoubleArray:
    """Returns the essential matrix (3, 3) of a motion (4, 4)."""
    x, y, z = T_1_from_0[:3, 3]
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(cross @ T_1_from_0[:3, :3])


def epipolar_distances(normalised0: DoubleArray, normalised1: DoubleArray, E: DoubleArray) -> DoubleArray:
    """Returns the symmetric squared epipolar distance of each match, (K,), in normalised units.

    Source: `compute_epipolar_error` of SuperGlue's evaluation (CVPR 2020).
    """
    x0, x1 = homogeneous(normalised0), homogeneous(normalised1)
    line1, line0 = x0 @ E.T, x1 @ E  # (K, 3)
    residual = np.sum(x1 * line1, 1)
    weight = 1 / np.sum(line1[:, :2] ** 2, 1) + 1 / np.sum(line0[:, :2] ** 2, 1)
    return np.asarray(residual**2 * weight)


def _pairwise(a: DoubleArray | FloatArray, b: DoubleArray | FloatArray) -> DoubleArray:
    """Distances (M, N) of points (M, 2) and (N, 2)."""
    gaps = np.asarray(a, np.float64)[:, None] - np.asarray(b, np.float64)[None]
    return np.asarray(np.hypot(gaps[..., 0], gaps[..., 1]))
