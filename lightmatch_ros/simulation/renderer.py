# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""An exact perspective renderer of textured rectangles, on the CPU.

The image is made backwards: the ray of each pixel is intersected with the planes, the nearest hit inside its
rectangle is kept, and the texture is read there. On a plane all of that is one 3 x 3 matrix: with the plane's
points written ``M (a, b, 1)`` in the camera's frame, ``inv(M) ray = (a, b, 1) / depth``. So the inverse depth and
the distances to the four edges are linear in the ray, and two comparisons decide about a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.errors import CalibrationError, ConfigurationError, InputError
from lightmatch_ros.core.types import BoolArray, ByteArray, DoubleArray, FloatArray, IndexArray
from lightmatch_ros.simulation import mipmap
from lightmatch_ros.simulation.mipmap import Colours
from lightmatch_ros.simulation.scene import Scene

_NEAR_M = 0.02
_MAX_QUADS = 4_000  # number and mip level share an int16
_CHUNK = 32_000  # cv2.remap refuses SHRT_MAX and more
# How much finer a mip level is read than the one at which texel and pixel have the same area. Measured against the
# mean of 36 samples a pixel in the room: 0.25 to 0.5 came closest, 37 to 48 dB; 0 lost up to 5 dB.
_FINER = 0.4
# Rotated grid: four samples of a pixel that differ in every row and column.
_SUBPIXELS = ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375))

_Numbers = NDArray[np.int16]
_Window = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Rendering:
    """What the camera sees.

    Attributes:
        image: (H, W, 3) uint8, BGR; black where there is nothing.
        depth: (H, W) float32, z in the optical frame (not the length of the ray), metres; 0 where there is nothing.
    """

    image: ByteArray
    depth: FloatArray


@dataclass(frozen=True, eq=False)
class _Face:
    """A rectangle in view: its number, its matrix inv(M) and the part of the image that it can touch."""

    index: int
    matrix: DoubleArray
    window: _Window


class Renderer:
    """A camera in front of a scene.

    Convention: pixel centre = integer, REP 103 optical frame, world in metres. Rays and planes are float32:
    a depth is good to 1e-6 of itself, a position in the texture to 1e-3 texels.

    Colours are filtered: between two mip levels, and by four samples in pixels at the border of a rectangle.
    A rectangle that is less than a pixel wide may be missed, and so may one nearer than 2 cm.
    """

    def __init__(self, scene: Scene, camera: CameraModel) -> None:
        """Computes the rays and the mip levels.

        Args:
            scene: the rectangles.
            camera: intrinsics, lens distortion and size of the image.

        Raises:
            CalibrationError: the image is less than 2 x 2 pixels, or its lens cannot be inverted all over it.
            ConfigurationError: too many rectangles.
        """
        if len(scene.quads) > _MAX_QUADS:
            raise ConfigurationError(f"scene: got {len(scene.quads)} rectangles, wanted at most {_MAX_QUADS}")
        exact = _rays(camera)
        self._rays = exact.astype(np.float32)  # (2, H, W)
        down, right = np.gradient(exact, axis=(1, 2))
        self._ray_steps = np.stack([right, down]).astype(np.float32)  # (2, 2, H, W): a pixel right, a pixel down
        self._extent = (exact[0].min(0), exact[0].max(0), exact[1].min(1), exact[1].max(1))
        self._pixels_per_ray2 = float(camera.K[0, 0] * camera.K[1, 1])
        quads = scene.quads
        self._corners = np.array([q.corners for q in quads]).reshape(-1, 4, 3)
        self._half_edges = np.array([(q.u / 2, q.v / 2) for q in quads]).reshape(-1, 2, 3)
        self._forward = np.array([q.forward for q in quads]).reshape(-1, 3)
        self._pyramids = [mipmap.pyramid(q.texture) for q in quads]

    def render(self, T_world_from_camera: ArrayLike) -> Rendering:
        """Renders the scene from a pose.

        Args:
            T_world_from_camera: (4, 4), optical frame to world, metres.

        Raises:
            InputError: not a rigid transform.
        """
        faces = self._faces(_checked_pose(T_world_from_camera))
        x, y = self._rays
        nearest, inverse_depth = _trace(x, y, faces)
        image = self._shade(x.ravel(), y.ravel(), nearest.ravel(), inverse_depth.ravel(), faces)
        edges = _edges(nearest)
        if edges.size:
            image[edges] = self._smooth(edges, faces)
        depth = np.divide(1, inverse_depth, out=np.zeros_like(inverse_depth), where=nearest >= 0)
        bgr = cv2.cvtColor(image.view(np.uint8).reshape(*x.shape, 4), cv2.COLOR_BGRA2BGR)
        return Rendering(np.asarray(bgr, np.uint8), depth)

    def _faces(self, T_world_from_camera: DoubleArray) -> list[_Face]:
        """The rectangles that face the camera and reach into the image, nearest centre first."""
        rotation, position = T_world_from_camera[:3, :3], T_world_from_camera[:3, 3]
        corners = (self._corners - position) @ rotation  # (Q, 4, 3) in the optical frame
        centres = corners.mean(1)
        facing = (centres * (self._forward @ rotation)).sum(1) > 1e-9
        columns, rows = self._windows(corners)
        seen = np.flatnonzero(facing & columns.any(1) & rows.any(1))
        order = seen[np.argsort(np.linalg.norm(centres[seen], axis=1))]
        planes = np.concatenate([self._half_edges @ rotation, centres[:, None]], 1)  # (Q, 3, 3), M transposed
        matrices = np.linalg.inv(planes[order].transpose(0, 2, 1))
        return [
            _Face(int(k), matrix, (_span(rows[k]), _span(columns[k])))
            for k, matrix in zip(order, matrices, strict=True)
        ]

    def _windows(self, corners: DoubleArray) -> tuple[BoolArray, BoolArray]:
        """The columns (Q, W) and rows (Q, H) of the image that hold rays within the bounds of each rectangle."""
        low, high = _ray_bounds(corners)
        x_min, x_max, y_min, y_max = self._extent
        columns = (x_max >= low[:, :1]) & (x_min <= high[:, :1])
        rows = (y_max >= low[:, 1:]) & (y_min <= high[:, 1:])
        return columns, rows

    def _smooth(self, edges: IndexArray, faces: list[_Face]) -> Colours:
        """Colours (N,) of pixels at the border of a rectangle: the mean of four samples each."""
        steps = self._ray_steps.reshape(2, 2, -1)[:, :, edges]  # (2, 2, N)
        offsets = np.tensordot(np.array(_SUBPIXELS, np.float32), steps, 1)  # (4, 2, N)
        x, y = (self._rays.reshape(2, -1)[:, edges] + offsets).transpose(1, 0, 2).reshape(2, -1)  # (2, 4 N)
        faces = [_Face(face.index, face.matrix, (slice(None),)) for face in faces]
        colours = self._shade(x, y, *_trace(x, y, faces), faces)
        mean = colours.view(np.uint8).reshape(4, -1, 4).mean(0)
        return np.asarray(mean + 0.5, np.uint8).view(np.uint32)[:, 0]

    def _shade(
        self, x: FloatArray, y: FloatArray, nearest: _Numbers, inverse_depth: FloatArray, faces: list[_Face]
    ) -> Colours:
        """Colours (N,) of rays (N,) of which the rectangle and the inverse depth are known."""
        colours = np.zeros(len(x), np.uint32)
        matrices = {face.index: face.matrix for face in faces}
        level = self._levels(nearest, inverse_depth, faces)
        for index, mip, rays_in in _groups(nearest, level.astype(np.int16)):
            g = matrices[index].astype(np.float32)
            x_in, y_in, depth = x.take(rays_in), y.take(rays_in), 1 / inverse_depth.take(rays_in)
            a, b = ((row[0] * x_in + row[1] * y_in + row[2]) * depth for row in g[:2])
            blend = level.take(rays_in) - np.float32(mip)
            colours[rays_in] = mipmap.sample(self._pyramids[index], mip, blend, a, b)
        return colours

    def _levels(self, nearest: _Numbers, inverse_depth: FloatArray, faces: list[_Face]) -> FloatArray:
        """Mip levels (N,) from the area of a pixel on the texture.

        The Jacobian of a homography with denominator w has the determinant det / w^3, so that the level
        depends on the inverse depth alone.
        """
        constant = np.zeros(len(self._pyramids) + 1, np.float32)  # the last is for rays that meet nothing
        for face in faces:
            height, width = self._pyramids[face.index][0].shape[:2]
            texels_per_ray2 = abs(np.linalg.det(face.matrix)) * width * height / 4
            constant[face.index] = 0.5 * np.log2(texels_per_ray2 / self._pixels_per_ray2) - _FINER
        level = constant[nearest] - 1.5 * np.log2(np.maximum(inverse_depth, np.float32(1e-6)))
        return np.clip(level, 0, mipmap.LEVELS - 1.001)


def _rays(camera: CameraModel) -> DoubleArray:
    """The rays (2, H, W) through the centres of the pixels: their x and y where z = 1."""
    width, height = camera.width, camera.height
    if min(width, height) < 2:
        raise CalibrationError(f"image size: got {width}x{height}, wanted at least 2x2")
    v, u = np.mgrid[0:height, 0:width]
    rays = camera.normalize(np.stack([u.ravel(), v.ravel()], 1))
    if not np.isfinite(rays).all():
        lens = f"{camera.model.value} {camera.D.tolist()}"
        raise CalibrationError(f"lens: got {lens}, wanted one that can be inverted all over the image")
    return np.ascontiguousarray(rays.T.reshape(2, height, width))


def _trace(x: FloatArray, y: FloatArray, faces: list[_Face]) -> tuple[_Numbers, FloatArray]:
    """Finds what each ray meets first.

    Args:
        x: (...) float32, x of rays with z = 1.
        y: (...) float32, y of rays with z = 1.
        faces: the candidates; a window indexes x and y.

    Returns:
        (...) int16 number of the rectangle, -1 where there is none; (...) float32 inverse depth, 1/m.
    """
    nearest = np.full(x.shape, -1, np.int16)
    inverse_depth = np.zeros(x.shape, np.float32)
    for face in faces:
        g, best = face.matrix.astype(np.float32), inverse_depth[face.window]
        x_in, y_in = x[face.window], y[face.window]
        a, b, w = (row[0] * x_in + (row[1] * y_in + row[2]) for row in g)
        inside = np.maximum(np.abs(a), np.abs(b)) <= w
        inside &= w > best
        np.copyto(best, w, where=inside)
        np.copyto(nearest[face.window], np.int16(face.index), where=inside)
    return nearest, inverse_depth


def _groups(nearest: _Numbers, level: _Numbers) -> Iterator[tuple[int, int, IndexArray]]:
    """Yields (rectangle, mip level, indices of its rays), at most _CHUNK rays at a time."""
    key = nearest * np.int16(mipmap.LEVELS) + level
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1, [len(key)]])
    for start, end in pairwise(starts.tolist()):
        index, mip = divmod(int(ordered[start]), mipmap.LEVELS)
        if index >= 0:
            yield from ((index, mip, order[i : min(i + _CHUNK, end)]) for i in range(start, end, _CHUNK))


def _edges(nearest: _Numbers) -> IndexArray:
    """Flat indices (N,) of the pixels with another rectangle to their left, right, above or below."""
    edge = np.zeros(nearest.shape, np.bool_)
    across, down = nearest[:, 1:] != nearest[:, :-1], nearest[1:] != nearest[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)


def _ray_bounds(corners: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Bounds of x / z and y / z over the part of each rectangle beyond the near plane.

    Args:
        corners: (Q, 4, 3) optical frame, metres, in order around the rectangle.

    Returns:
        Lower and upper bounds, (Q, 2) each; (inf, -inf) where nothing lies beyond the near plane.
    """
    z, following = corners[..., 2], np.roll(corners, -1, 1)
    crosses = (z < _NEAR_M) != (following[..., 2] < _NEAR_M)
    gap = np.where(crosses, following[..., 2] - z, 1)
    cuts = corners + ((_NEAR_M - z) / gap)[..., None] * (following - corners)  # (Q, 4, 3), where an edge crosses
    points = np.concatenate([corners, cuts], 1)
    valid = np.concatenate([z >= _NEAR_M, crosses], 1)[..., None]  # (Q, 8, 1)
    projected = points[..., :2] / np.where(valid, points[..., 2:], 1)
    return np.where(valid, projected, np.inf).min(1), np.where(valid, projected, -np.inf).max(1)


def _span(touched: BoolArray) -> slice:
    indices = np.flatnonzero(touched)
    return slice(int(indices[0]), int(indices[-1]) + 1)


def _checked_pose(T_world_from_camera: ArrayLike) -> DoubleArray:
    pose = np.asarray(T_world_from_camera, np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise InputError(f"pose: got {pose.tolist()}, wanted 4 x 4 finite numbers")
    rotation = pose[:3, :3]
    rigid = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) and np.linalg.det(rotation) > 0
    if not rigid or not np.array_equal(pose[3], (0, 0, 0, 1)):
        raise InputError(f"pose: got {pose.tolist()}, wanted a rigid transform")
    return pose
