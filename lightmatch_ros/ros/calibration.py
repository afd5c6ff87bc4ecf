# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The calibration of one camera as CameraInfo messages tell it."""

from __future__ import annotations

import time
from typing import Any

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.ros.image_conversions import camera_model


class Calibration:
    """Keeps the last CameraInfo and the model made of it.

    The executor stores, the worker reads; each side's step is a single assignment.

    Args:
        rectified: see `camera_model`.
        timeout_s: how long images wait for the first CameraInfo, counted from the first image.
    """

    def __init__(self, rectified: bool, timeout_s: float) -> None:
        self._rectified = rectified
        self._timeout_s = timeout_s
        self._message: Any = None
        self._first_image: float | None = None
        self._known: tuple[object, CameraModel | None] = (None, None)

    def store(self, message: Any) -> None:
        """Keeps a sensor_msgs/CameraInfo."""
        self._message = message

    @property
    def known(self) -> bool:
        """A CameraInfo has come."""
        return self._message is not None

    @property
    def awaited(self) -> bool:
        """No CameraInfo yet, and the time limit is not over; the first call starts the clock."""
        now = time.monotonic()
        if self._first_image is None:
            self._first_image = now
        return self._message is None and now - self._first_image < self._timeout_s

    def model(self, size: tuple[int, int]) -> CameraModel | None:
        """Returns the calibration for images of (width, height); None where the camera is uncalibrated.

        Raises:
            CalibrationError: a CameraInfo that cannot be used, or of another image size.
        """
        message = self._message
        if message is None:
            return None
        content = _content(message)
        if content != self._known[0]:
            self._known = (content, camera_model(message, self._rectified))
        model = self._known[1]
        if model is not None:
            model.check_image_size(*size)
        return model


def _content(message: Any) -> tuple[object, ...]:
    """All of a CameraInfo but its header."""
    roi = message.roi
    window = (roi.x_offset, roi.y_offset, roi.width, roi.height, roi.do_rectify)
    sizes = (message.width, message.height, message.binning_x, message.binning_y)
    numbers = tuple(bytes(memoryview(part)) for part in (message.k, message.r, message.p))
    return (*sizes, *window, message.distortion_model, tuple(message.d), *numbers)
