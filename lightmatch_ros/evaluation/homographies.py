# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Random cameras in front of a photograph: each pair of them gives a homography.

A photograph lies in the plane Z = 0 of a world whose unit is its pixel. A view of it is a pinhole camera, so that
perspective is strong where a camera is tilted and near, and one 3 x 4 projection describes views of photographs and
of 3D scenes alike.

Convention: pixel centre = integer, x right, y down, REP 103 optical frame; ``pixel ~ P (X, Y, Z, 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lightmatch_ros.core.types import ByteArray, DoubleArray

# (width, height) of views, pixels: the common aspect ratios, and the wide one of cars' cameras.
VIEW_SIZES = ((480, 360), (480, 360), (400, 300), (560, 420), (360, 480), (512, 288), (560, 200), (420, 420))


@dataclass(frozen=True)
class ViewRange:
    """How far the views of a photograph may spread. Two views differ by up to twice the rotation and scale.

    Attributes:
        max_rotation_deg: in the image plane, either way.
        max_log2_zoom: size of the photograph in the view relative to a snug fit, either way.
        max_tilt_deg: of the optical axis against the photograph's normal.
        max_shift: of the centre of view, in halves of the photograph's size.
    """

    max_rotation_deg: float
    max_log2_zoom: float
    max_tilt_deg: float
    max_shift: float


# Relative scales up to 2^(2 * 0.65) = 2.5. Rotations beyond 2 * 45 degrees come from quarter turns of the features.
HARD = ViewRange(max_rotation_deg=45.0, max_log2_zoom=0.65, max_tilt_deg=58.0, max_shift=0.45)
EASY = ViewRange(max_rotation_deg=12.0, max_log2_zoom=0.35, max_tilt_deg=35.0, max_shift=0.35)
# As between neighbouring frames of a video.
SMALL = ViewRange(max_rotation_deg=2.0, max_log2_zoom=0.06, max_tilt_deg=6.0, max_shift=0.06)


@dataclass(frozen=True)
class Pose:
    """A view's free numbers, so that another view can be drawn near it.

    Attributes:
        rotation_rad: in the image plane, positive turns the picture clockwise.
        zoom: pixels of the view for each pixel of the photograph, at the centre of view.
        tilt_x, tilt_y: rotation of the optical axis about the photograph's axes, radians.
        centre: (x, y), the photograph's pixel that the optical axis meets.
    """

    rotation_rad: float
    zoom: float
    tilt_x: float
    tilt_y: float
    centre: tuple[float, float]


def snug_zoom(photo_size: tuple[int, int], view_size: tuple[int, int]) -> float:
    """The zoom at which a view shows the photograph, filling the view (either may be cut)."""
    return max(view_size[0] / photo_size[0], view_size[1] / photo_size[1])


def sample_pose(
    rng: np.random.Generator, limits: ViewRange, photo_size: tuple[int, int], view_size: tuple[int, int]
) -> Pose:
    """Draws a view about the snug fit."""
    middle = Pose(0.0, snug_zoom(photo_size, view_size), 0.0, 0.0, ((photo_size[0] - 1) / 2, (photo_size[1] - 1) / 2))
    return perturb_pose(rng, middle, limits, photo_size)


def perturb_pose(rng: np.random.Generator, pose: Pose, limits: ViewRange, photo_size: tuple[int, int]) -> Pose:
    """Draws a view near another one."""
    tilt = np.deg2rad(limits.max_tilt_deg) * np.sqrt(rng.uniform())
    direction = rng.uniform(0, 2 * np.pi)
    shift = rng.uniform(-1, 1, 2) * limits.max_shift * np.array(photo_size) / 2
    return Pose(
        pose.rotation_rad + np.deg2rad(limits.max_rotation_deg) * rng.uniform(-1, 1),
        pose.zoom * 2.0 ** (limits.max_log2_zoom * rng.uniform(-1, 1)),
        pose.tilt_x + tilt * np.cos(direction),
        pose.tilt_y + tilt * np.sin(direction),
        (pose.centre[0] + shift[0], pose.centre[1] + shift[1]),
    )


def projection(pose: Pose, view_size: tuple[int, int], focal_px: float) -> DoubleArray:
    """Returns the view's 3 x 4 projection of the photograph's world.

    Args:
        pose: the view.
        view_size: (width, height), pixels.
        focal_px: focal length; the shorter, the stronger the perspective.
    """
    K = np.array([[focal_px, 0, (view_size[0] - 1) / 2], [0, focal_px, (view_size[1] - 1) / 2], [0, 0, 1]])
    turn = _rotation((0, 0, 1), pose.rotation_rad)
    R = turn @ _rotation((1, 0, 0), pose.tilt_x) @ _rotation((0, 1, 0), pose.tilt_y)
    target = np.array([*pose.centre, 0.0])
    t = np.array([0, 0, focal_px / pose.zoom]) - R @ target
    return np.asarray(K @ np.column_stack([R, t]))


def homography(P: DoubleArray) -> DoubleArray:
    """Returns the 3 x 3 homography from the photograph's pixels to the view's: the plane Z = 0."""
    return np.asarray(P[:, [0, 1, 3]])


def in_front(P: DoubleArray, view_size: tuple[int, int]) -> bool:
    """Every pixel of the view looks at the photograph's plane, and none too slantwise to be of use."""
    w, h = view_size
    corners = np.array([[0, 0, 1], [w - 1, 0, 1], [0, h - 1, 1], [w - 1, h - 1, 1], [(w - 1) / 2, (h - 1) / 2, 1]]).T
    weights = (np.linalg.inv(homography(P)) @ corners)[2]
    # Within a factor of 4 of the centre's distance. A guess: at more, one edge is a smear.
    return bool(np.all(weights / weights[-1] > 0.25))


def sample_projection(rng: np.random.Generator, pose: Pose, view_size: tuple[int, int]) -> DoubleArray:
    """Draws a focal length for a view and returns its projection; flattens the view where it would see the horizon."""
    focal_px = max(view_size) * float(rng.uniform(0.8, 1.6))
    P = projection(pose, view_size, focal_px)
    for _ in range(20):
        if in_front(P, view_size):
            break
        pose = Pose(pose.rotation_rad, pose.zoom, pose.tilt_x * 0.8, pose.tilt_y * 0.8, pose.centre)
        P = projection(pose, view_size, focal_px)
    return P


def warp(photo: ByteArray, H: DoubleArray, size: tuple[int, int]) -> ByteArray:
    """Warps a photograph (H, W), mirrored beyond its borders, with ``pixel ~ H photo``; shrunk first where H shrinks.

    The mirrored surroundings belong to the plane: features there have their place in every view.
    """
    centre = np.linalg.inv(H) @ np.array([(size[0] - 1) / 2, (size[1] - 1) / 2, 1])
    factor = min(1.0, 1.2 * _zoom_at(H, centre[:2] / centre[2]))  # a little more than the view: the near side is larger
    if factor < 0.95:
        small = (max(8, round(photo.shape[1] * factor)), max(8, round(photo.shape[0] * factor)))
        sx, sy = small[0] / photo.shape[1], small[1] / photo.shape[0]
        photo = np.asarray(cv2.resize(photo, small, interpolation=cv2.INTER_AREA), np.uint8)
        # Pixel centre = integer: u' = (u + .5) s - .5.
        H = H @ np.linalg.inv(np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]]))
    return np.asarray(cv2.warpPerspective(photo, H, size, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _zoom_at(H: DoubleArray, point: DoubleArray) -> float:
    """Square root of the area by which H magnifies at a point: |det H| / w^3."""
    w = H[2] @ np.array([*point, 1])
    return float(np.sqrt(abs(np.linalg.det(H)) / abs(w) ** 3))


def _rotation(axis: tuple[float, float, float], angle_rad: float) -> DoubleArray:
    """Rodrigues' formula for a unit axis."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross)
