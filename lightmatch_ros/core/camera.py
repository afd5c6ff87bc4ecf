# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera: how pixels of the image as it comes in and rays belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lightmatch_ros.core import distortion
from lightmatch_ros.core.distortion import DistortionModel
from lightmatch_ros.core.errors import CalibrationError
from lightmatch_ros.core.types import DoubleArray


@dataclass(frozen=True)
class RegionOfInterest:
    """sensor_msgs/RegionOfInterest: the part of the full-resolution image that was captured.

    Attributes:
        x_offset, y_offset: leftmost column, topmost row, pixels of the full resolution.
        width, height: pixels of the full resolution; 0 x 0 = the full image.
        do_rectify: the rectified region differs from the raw one. image_geometry shifts P by the raw
            offset either way, and so does this package.
    """

    x_offset: int = 0
    y_offset: int = 0
    width: int = 0
    height: int = 0
    do_rectify: bool = False


@dataclass(frozen=True, eq=False)
class CameraModel:
    """Intrinsics of one camera.

    Convention: pixels of the image as it comes in (region of interest cut out, then binned), x right,
    y down, pixel centre = integer. Rays in the optical frame of REP 103: x right, y down, z forward.

    Attributes:
        K: (3, 3) float64, pixels.
        D: (n,) float64, coefficients in OpenCV's order; empty without distortion.
        model: distortion model that D belongs to.
        width, height: size of the image, pixels.
    """

    K: DoubleArray
    D: DoubleArray
    model: DistortionModel
    width: int
    height: int

    def __post_init__(self) -> None:
        _check_matrix(self.K)
        distortion.check(self.D, self.model)
        if self.width <= 0 or self.height <= 0:
            raise CalibrationError(f"image size: got {self.width}x{self.height}, wanted positive numbers")

    @classmethod
    def from_matrix(cls, K: ArrayLike, size: tuple[int, int], D: ArrayLike | None = None) -> CameraModel:
        """Makes a camera from K, the image size (width, height) and, where given, D in OpenCV's order.

        Raises:
            CalibrationError: K or D cannot be used.
        """
        coefficients = distortion.coefficients_of([] if D is None else D)
        model = DistortionModel.NONE
        if len(coefficients):
            rational = len(coefficients) > 5
            model = DistortionModel.RATIONAL_POLYNOMIAL if rational else DistortionModel.PLUMB_BOB
        return cls(_matrix(K, (3, 3), "K"), coefficients, model, *size)

    @classmethod
    def from_camera_info(
        cls,
        width: int,
        height: int,
        distortion_model: str,
        D: ArrayLike,
        K: ArrayLike,
        R: ArrayLike,
        P: ArrayLike,
        binning_x: int = 0,
        binning_y: int = 0,
        roi: RegionOfInterest | None = None,
        *,
        rectified: bool = False,
    ) -> CameraModel | None:
        """Makes a camera from the fields of sensor_msgs/CameraInfo.

        Convention: K and P are in full-resolution pixels; the image is the region of interest, then
        binned: c = (c_full - offset) / binning, as in image_geometry (no half-pixel term). R plays no
        part: rays of a raw image are in the unrectified frame, those of a rectified one in the
        rectified frame.

        Args:
            width: of the full resolution, pixels.
            height: of the full resolution, pixels.
            distortion_model: plumb_bob, rational_polynomial, equidistant; empty where D is.
            D: distortion coefficients.
            K: 9 numbers, row major; all zero = uncalibrated (REP 104).
            R: rectification, unused.
            P: 12 numbers, row major.
            binning_x: 0 means 1.
            binning_y: 0 means 1.
            roi: full image where None or 0 x 0.
            rectified: the image is rectified: P serves, without distortion.

        Returns:
            None where the camera is uncalibrated.

        Raises:
            CalibrationError: a number is not finite, a focal length not positive, D of the wrong
                length, the model unknown, the region outside the image.

        Source: sensor_msgs/CameraInfo; image_geometry.PinholeCameraModel.fromCameraInfo.
        """
        full = _matrix(K, (3, 3), "K")
        if not full.any():
            return None
        roi = _checked_roi(roi or RegionOfInterest(), width, height)
        binning = (_binning(binning_x, "binning_x"), _binning(binning_y, "binning_y"))
        if rectified:
            full = _matrix(P, (3, 4), "P")[:, :3]
            coefficients, model = distortion.coefficients_of([]), DistortionModel.NONE
        else:
            coefficients, model = distortion.named(distortion_model, D)
        size = (roi.width // binning[0], roi.height // binning[1])
        return cls(_windowed(full, roi, binning), coefficients, model, *size)

    @property
    def focal(self) -> float:
        """Mean focal length, pixels: what one unit of normalised coordinates is worth."""
        return float(0.5 * (self.K[0, 0] + self.K[1, 1]))

    def check_image_size(self, width: int, height: int) -> None:
        """Checks that an image belongs to this calibration.

        Raises:
            CalibrationError: it has another size.
        """
        if (width, height) != (self.width, self.height):
            raise CalibrationError(
                f"image size: got {width}x{height}, wanted {self.width}x{self.height} of the camera info"
            )

    def normalize(self, points_px: ArrayLike) -> DoubleArray:
        """Undistorts pixels to normalised coordinates (x/z, y/z).

        Args:
            points_px: (N, 2), pixels.

        Returns:
            (N, 2) float64; NaN for a point outside the image of the lens model, such as a fisheye
            point 90 degrees or more off the axis.
        """
        points = np.asarray(points_px, np.float64).reshape(-1, 2)
        return distortion.undistort(points, self.K, self.D, self.model)

    def project(self, points: ArrayLike) -> DoubleArray:
        """Projects normalised (N, 2) or 3D camera-frame (N, 3) points to pixels.

        Returns:
            (N, 2) float64, pixels; NaN for a 3D point that is not in front of the camera.
        """
        given = np.asarray(points, np.float64)
        if given.ndim != 2 or given.shape[1] != 3:
            return distortion.distort(given.reshape(-1, 2), self.K, self.D, self.model)
        front = given[:, 2] > 0
        rays = given[:, :2] / np.where(front, given[:, 2], 1.0)[:, None]
        pixels = distortion.distort(rays, self.K, self.D, self.model)
        pixels[~front] = np.nan
        return pixels


def _matrix(values: ArrayLike, shape: tuple[int, int], name: str) -> DoubleArray:
    matrix = np.array(values, np.float64)
    if matrix.size != shape[0] * shape[1]:
        raise CalibrationError(f"{name}: got {matrix.size} numbers, wanted {shape[0] * shape[1]}")
    if not np.isfinite(matrix).all():
        raise CalibrationError(f"{name}: got {matrix.ravel().tolist()}, wanted finite numbers")
    return matrix.reshape(shape)


def _check_matrix(K: DoubleArray) -> None:
    _matrix(K, (3, 3), "K")
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise CalibrationError(f"focal length: got {K[0, 0]:g}, {K[1, 1]:g}, wanted positive numbers")
    if K[1, 0] != 0 or K[2].tolist() != [0, 0, 1]:
        raise CalibrationError(f"K: got {K.tolist()}, wanted [[fx, s, cx], [0, fy, cy], [0, 0, 1]]")


def _binning(value: int, name: str) -> int:
    if value < 0:
        raise CalibrationError(f"{name}: got {value}, wanted 0 or more")
    return max(value, 1)


def _checked_roi(roi: RegionOfInterest, width: int, height: int) -> RegionOfInterest:
    if roi.width == 0 and roi.height == 0:
        return RegionOfInterest(0, 0, width, height)
    inside = roi.x_offset + roi.width <= width and roi.y_offset + roi.height <= height
    if min(roi.width, roi.height) <= 0 or min(roi.x_offset, roi.y_offset) < 0 or not inside:
        raise CalibrationError(
            f"region of interest: got {roi.width}x{roi.height} at ({roi.x_offset}, {roi.y_offset}), "
            f"wanted one inside {width}x{height}"
        )
    return roi


def _windowed(full: DoubleArray, roi: RegionOfInterest, binning: tuple[int, int]) -> DoubleArray:
    """K of the full resolution to K of the image as it comes in."""
    scale = np.array([1.0 / binning[0], 1.0 / binning[1], 1.0])
    shifted = full.copy()
    shifted[:2, 2] -= (roi.x_offset, roi.y_offset)
    windowed: DoubleArray = shifted * scale[:, None]
    return windowed
