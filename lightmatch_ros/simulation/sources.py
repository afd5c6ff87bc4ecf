# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Where the virtual camera's frames come from: the rendered room, a folder of images, a video."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.errors import CalibrationError, ConfigurationError, ImageError
from lightmatch_ros.core.types import ByteArray, DoubleArray, FloatArray
from lightmatch_ros.simulation.calibration import load_calibration
from lightmatch_ros.simulation.renderer import Renderer
from lightmatch_ros.simulation.scene import room
from lightmatch_ros.simulation.trajectory import PERIOD_S, Motion, Trajectory

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".mpg", ".mpeg", ".webm")
ROOM = "room"
_FOCAL_PER_WIDTH = 525 / 640  # of the first Kinect: 63 degrees from left to right


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and what is known about it.

    Attributes:
        stamp_s: time since the first frame, seconds.
        image: (H, W, 3) uint8, BGR.
        depth: (H, W) float32, z in the optical frame, metres, 0 = none; or None where the source has no depth.
        motion: pose and velocity of the camera, or None where the source does not know them.
    """

    stamp_s: float
    image: ByteArray
    depth: FloatArray | None = None
    motion: Motion | None = None

    @property
    def T_world_from_camera(self) -> DoubleArray | None:  # noqa: N802
        """(4, 4) float64, optical frame to world, metres; None where it is not known."""
        return None if self.motion is None else self.motion.T_world_from_camera


class FrameSource(Protocol):
    """Frames of one camera; each iteration starts anew and yields at least one frame."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""

    @property
    def calibration(self) -> CameraModel | None:
        """None where the camera is uncalibrated."""

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames in order.

        Raises:
            ImageError: an image that cannot be read, or of another size than the first.
        """


def open_source(
    name: str, calibration: Path | None = None, size: tuple[int, int] = (640, 480), rate_hz: float = 30.0, seed: int = 0
) -> FrameSource:
    """Opens a source by its name.

    Args:
        name: "room", a folder of images, such a folder with a pattern ("kitchen/*.color.jpg"), or a video file.
        calibration: a file for `load_calibration`; None: the room has one of its own, the others have none.
        size: (width, height) of the room's images, pixels; the others have their own.
        rate_hz: frames for a second; a video has its own.
        seed: of the room and the way through it.

    Raises:
        ConfigurationError: there is no such thing, or nothing in it.
        ImageError: the first image cannot be read.
        CalibrationError: a calibration that cannot be used.
    """
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise ConfigurationError(f"rate: got {rate_hz} Hz, wanted a number above 0")
    path = Path(name).expanduser()
    if name == ROOM:
        return RoomSource(size, rate_hz, seed, calibration)
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path, rate_hz, calibration)
    if name and path.is_dir():  # the path of "" is the working directory
        return FolderSource(path, rate_hz, calibration)
    if path.parent.is_dir() and set("*?[") & set(path.name):
        return FolderSource(path.parent, rate_hz, calibration, path.name)
    raise ConfigurationError(f"source: got {name!r}, wanted {ROOM!r}, a folder of images or a video file")


class RoomSource:
    """The camera's way through the rendered room; one iteration is one period, whose end joins its beginning."""

    def __init__(
        self, size: tuple[int, int] = (640, 480), rate_hz: float = 30.0, seed: int = 0, calibration: Path | None = None
    ) -> None:
        """Builds the room; see `open_source`."""
        self._size = size
        self._rate_hz = rate_hz
        self._calibration = _room_camera(size) if calibration is None else load_calibration(calibration, size)
        self._renderer = Renderer(room(seed), self._calibration)
        self._trajectory = Trajectory(seed)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self._size

    @property
    def calibration(self) -> CameraModel:
        """Of the virtual lens."""
        return self._calibration

    def __iter__(self) -> Iterator[Frame]:
        """Renders the frames."""
        for index in range(max(1, round(PERIOD_S * self._rate_hz))):
            motion = self._trajectory.at(index / self._rate_hz)
            rendering = self._renderer.render(motion.T_world_from_camera)
            yield Frame(index / self._rate_hz, rendering.image, rendering.depth, motion)


class _RecordedSource:
    """A source whose size is its first image's, and which is calibrated where a file was given."""

    def __init__(self, first: ByteArray, calibration: Path | None) -> None:
        self._size = _size(first)
        self._calibration = None if calibration is None else load_calibration(calibration, self._size)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self._size

    @property
    def calibration(self) -> CameraModel | None:
        """None where no file was given."""
        return self._calibration


class FolderSource(_RecordedSource):
    """Images of a folder, sorted so that 2 comes before 10."""

    def __init__(
        self, folder: Path, rate_hz: float = 30.0, calibration: Path | None = None, pattern: str = "*"
    ) -> None:
        """Lists the images; see `open_source`."""
        found = (p for p in folder.glob(pattern) if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES)
        self._paths = sorted(found, key=lambda path: natural_key(path.name))
        if not self._paths:
            wanted = f"{pattern} with one of {', '.join(IMAGE_SUFFIXES)}"
            raise ConfigurationError(f"source: got {folder} without images, wanted {wanted}")
        self._rate_hz = rate_hz
        super().__init__(read_image(self._paths[0]), calibration)

    def __iter__(self) -> Iterator[Frame]:
        """Reads the images."""
        for index, path in enumerate(self._paths):
            image = read_image(path)
            _check_size(image, self._size, str(path))
            yield Frame(index / self._rate_hz, image)


class VideoSource(_RecordedSource):
    """Frames of a video file."""

    def __init__(self, path: Path, rate_hz: float = 30.0, calibration: Path | None = None) -> None:
        """Reads the first frame; see `open_source`. ``rate_hz`` serves where the file does not say."""
        self._path = path
        self._rate_hz = rate_hz
        first = next(iter(self), None)
        if first is None:
            raise ConfigurationError(f"source: got {path} without a frame, wanted a video that OpenCV can decode")
        super().__init__(first.image, calibration)

    def __iter__(self) -> Iterator[Frame]:
        """Decodes the frames."""
        video = cv2.VideoCapture(str(self._path))
        try:
            rate_hz = video.get(cv2.CAP_PROP_FPS)
            rate_hz = rate_hz if math.isfinite(rate_hz) and rate_hz > 0 else self._rate_hz
            index = 0
            while (image := video.read()[1]) is not None:
                yield Frame(index / rate_hz, np.asarray(image, np.uint8))
                index += 1
        finally:
            video.release()


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts numbers within a name by their value."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", name)]


def read_image(path: Path) -> ByteArray:
    """Reads an image as (H, W, 3) uint8, BGR.

    Raises:
        ImageError: cannot be read or decoded.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ImageError(f"image {path}: {error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ImageError(f"image {path}: got {data.size} bytes that cannot be decoded, wanted an image")
    return np.asarray(image, np.uint8)


def _room_camera(size: tuple[int, int]) -> CameraModel:
    width, height = size
    if min(size) < 2:
        raise CalibrationError(f"image size: got {width}x{height}, wanted at least 2x2")
    focal = _FOCAL_PER_WIDTH * width
    K = np.diag([focal, focal, 1.0])
    K[:2, 2] = (width - 1) / 2, (height - 1) / 2
    return CameraModel.from_matrix(K, size)


def _size(image: ByteArray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _check_size(image: ByteArray, size: tuple[int, int], name: str) -> None:
    if _size(image) != size:
        raise ImageError(f"image {name}: got {_size(image)} pixels, wanted {size} of the first image")
