# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Two views of known geometry: points, cameras and a motion in, pixels with noise and outliers out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.config import GeometryConfig
from lightmatch_ros.core.geometry import Reason, estimate_two_view
from lightmatch_ros.core.types import Matches

SIZE = (640, 480)
K = np.array([[520.0, 0.0, 319.5], [0.0, 520.0, 239.5], [0.0, 0.0, 1.0]])
CAMERA = CameraModel.from_matrix(K, SIZE)
CONFIG = GeometryConfig()


@dataclass(frozen=True, eq=False)
class Scene:
    """Matches with what they were made from.

    Attributes:
        matches: pixels.
        T_0_from_1: (4, 4), true pose of camera 1 in camera 0's frame, metres.
        points: (N, 3), metres, camera 0's frame.
        inlier: (N,) bool, true correspondences.
    """

    matches: Matches
    T_0_from_1: np.ndarray
    points: np.ndarray
    inlier: np.ndarray

    @property
    def direction(self) -> np.ndarray:
        """(3,), unit length."""
        t = self.T_0_from_1[:3, 3]
        return t / np.linalg.norm(t)


def rotation_xyz(rx_deg: float = 0.0, ry_deg: float = 0.0, rz_deg: float = 0.0) -> np.ndarray:
    """Rz @ Ry @ Rx, written out, so that it owes nothing to the code under test."""
    (cx, sx), (cy, sy), (cz, sz) = (
        (math.cos(math.radians(a)), math.sin(math.radians(a))) for a in (rx_deg, ry_deg, rz_deg)
    )
    Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return Rz @ Ry @ Rx


def pose(R: np.ndarray, t: tuple[float, float, float]) -> np.ndarray:
    """T_0_from_1, (4, 4)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T


T_GENERAL = pose(rotation_xyz(3, -8, 5), (0.5, 0.1, 0.2))
PLANE = (0.1, 0.2, 1.0, 6.0)


def make(
    T_0_from_1: np.ndarray,
    *,
    count: int = 300,
    depth: tuple[float, float] = (3.0, 12.0),
    plane: tuple[float, float, float, float] | None = None,
    off_plane: float = 0.0,
    noise_px: float = 0.0,
    outliers: float = 0.0,
    camera0: CameraModel = CAMERA,
    camera1: CameraModel = CAMERA,
    seed: int = 0,
) -> Scene:
    """Draws points that both cameras see.

    Args:
        T_0_from_1: pose of camera 1 in camera 0's frame, metres.
        count: matches.
        depth: range of z in camera 0, metres.
        plane: (a, b, c, d): points satisfy a x + b y + c z = d in camera 0's frame.
        off_plane: part of the points that do not lie on the plane.
        noise_px: standard deviation of each coordinate in both images.
        outliers: part of the matches whose second point is drawn anywhere.
        camera0: without distortion as a rule, for pixels are drawn in it uniformly.
        camera1: of the current frame.
        seed: of the generator.
    """
    rng = np.random.default_rng(seed)
    points = _visible(T_0_from_1, count, depth, plane, off_plane, camera0, camera1, rng)
    points0 = camera0.project(points) + rng.normal(0, noise_px, (count, 2))
    points1 = camera1.project(_to_camera_1(T_0_from_1, points)) + rng.normal(0, noise_px, (count, 2))
    inlier = np.ones(count, bool)
    inlier[: round(outliers * count)] = False
    rng.shuffle(inlier)
    size1 = (camera1.width - 1, camera1.height - 1)
    points1[~inlier] = rng.uniform((0, 0), size1, ((~inlier).sum(), 2))
    # Scores tell inliers from outliers as weakly as real ones do.
    scores = rng.beta(4, 2, count) * np.where(inlier, 1.0, 0.8)
    return Scene(as_matches(points0, points1, scores), T_0_from_1, points, inlier)


def as_matches(points0: np.ndarray, points1: np.ndarray, scores: np.ndarray | None = None) -> Matches:
    """Matches of (K, 2) pixels."""
    count = len(points0)
    if scores is None:
        scores = np.linspace(1.0, 0.5, count)
    indices = np.arange(count)
    as_float = [np.asarray(a, np.float32) for a in (points0, points1, scores)]
    return Matches(*as_float, indices, indices, count, count, 9, 1.0)


def rotation_error_deg(R: np.ndarray, R_true: np.ndarray) -> float:
    """Angle between two rotations, degrees, by the chord: exact for small angles."""
    chord = np.linalg.norm(R - R_true) / math.sqrt(8.0)
    return math.degrees(2.0 * math.asin(min(1.0, chord)))


def direction_error_deg(t: np.ndarray, t_true: np.ndarray) -> float:
    """Angle between two directions, degrees; opposite ones are 180 apart."""
    return math.degrees(math.atan2(np.linalg.norm(np.cross(t, t_true)), float(t @ t_true)))


def estimate(scene, camera0=CAMERA, camera1=CAMERA, **more):
    """The estimate for a scene, with the default configuration."""
    return estimate_two_view(scene.matches, camera0, camera1, CONFIG, **more)


def assert_pose(result, scene, rotation_deg=0.3, direction_deg=2.0):
    """Holds where the pose is valid and close to the true one, of unit translation."""
    found = result.pose
    assert found.valid and found.rotation_valid and found.reason is Reason.NONE and not found.metric
    T = found.T_0_from_1
    assert rotation_error_deg(T[:3, :3], scene.T_0_from_1[:3, :3]) < rotation_deg
    assert direction_error_deg(T[:3, 3], scene.direction) < direction_deg
    assert np.linalg.norm(T[:3, 3]) == pytest.approx(1.0)
    assert T[3].tolist() == [0, 0, 0, 1]


def assert_rotation_only(result, scene, reasons, rotation_deg=0.15):
    """Holds where the rotation alone is valid, close to the true one, for one of the reasons."""
    found = result.pose
    assert not found.valid and found.rotation_valid and found.reason in reasons
    assert rotation_error_deg(found.T_0_from_1[:3, :3], scene.T_0_from_1[:3, :3]) < rotation_deg
    assert not found.T_0_from_1[:3, 3].any()
    assert found.covariance_valid and np.diag(found.covariance)[:3].min() == 1e6


def _to_camera_1(T_0_from_1: np.ndarray, points: np.ndarray) -> np.ndarray:
    return (points - T_0_from_1[:3, 3]) @ T_0_from_1[:3, :3]


def _visible(T_0_from_1, count, depth, plane, off_plane, camera0, camera1, rng):
    kept = np.empty((0, 3))
    while len(kept) < count:
        pixels = rng.uniform((0, 0), (camera0.width - 1, camera0.height - 1), (4 * count, 2))
        rays = np.column_stack((camera0.normalize(pixels), np.ones(4 * count)))
        z = rng.uniform(*depth, 4 * count)
        if plane is not None:
            on_plane = plane[3] / (rays @ np.array(plane[:3]))
            z = np.where(rng.uniform(size=4 * count) < off_plane, z, on_plane)
        points = (rays * z[:, None])[np.isfinite(rays).all(axis=1) & (z > 0.1)]
        seen = camera1.project(_to_camera_1(T_0_from_1, points))
        inside = (seen >= 0) & (seen <= (camera1.width - 1, camera1.height - 1))  # NaN is outside
        kept = np.concatenate((kept, points[inside.all(axis=1)]))
    return kept[:count]
