# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Image and CameraInfo messages to and from arrays: cv_bridge where a distribution has it, rosbags-image elsewhere."""

from __future__ import annotations

import array
import re
import sys
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from lightmatch_ros.core.camera import CameraModel, RegionOfInterest
from lightmatch_ros.core.errors import ImageError
from lightmatch_ros.core.types import ByteArray, FloatArray

try:  # a ROS distribution
    from cv_bridge import CvBridge, CvBridgeError

    _CONVERSION_ERRORS: tuple[type[Exception], ...] = (CvBridgeError,)

    def _convert(message: Any, encoding: str) -> Any:
        return CvBridge().imgmsg_to_cv2(message, encoding)

except ImportError:  # PyPI
    from rosbags.image import ImageError as RosbagsImageError
    from rosbags.image import message_to_cvimage

    _CONVERSION_ERRORS = (RosbagsImageError,)

    def _convert(message: Any, encoding: str) -> Any:
        return message_to_cvimage(message, None if encoding == "passthrough" else encoding)


# Bytes of a pixel of the named encodings; the others say it themselves, as 16UC1.
NAMED = re.compile(r"(?:(mono|bayer_[a-z]{4})|(rgb|bgr)|(rgba|bgra))(8|16)")
GENERIC = re.compile(r"(8|16|32|64)[USF]C(\d)")
PACKED = {"uyvy": 2, "yuv422": 2, "yuyv": 2, "yuv422_yuy2": 2}
MILLIMETRES = 1e-3


def image_to_array(message: Image | CompressedImage) -> ByteArray:
    """Returns the pixels, (H, W) or (H, W, 3) BGR, uint8.

    Args:
        message: mono, RGB(A), BGR(A), Bayer or YUV 4:2:2; 16 bits are scaled down to 8; or JPEG, PNG.

    Raises:
        ImageError: empty, truncated, wrong step, unknown encoding, damaged.
    """
    if isinstance(message, CompressedImage):
        return _decoded(message)
    _check_layout(message)
    encoding = message.encoding
    if encoding in ("8UC1", "8UC3", "16UC1"):  # drivers' habit for images without a named encoding
        encoding = {"8UC1": "mono8", "8UC3": "bgr8", "16UC1": "mono16"}[encoding]
    wanted = "mono8" if encoding.startswith("mono") else "bgr8"
    return np.ascontiguousarray(_converted(message, encoding, wanted), np.uint8)


def depth_to_array(message: Image) -> FloatArray:
    """Returns depth, (H, W) float32, metres, 0 where there is none.

    Args:
        message: 16UC1 (mono16) in millimetres or 32FC1 in metres (REP 118).

    Raises:
        ImageError: another encoding, or as `image_to_array`.
    """
    _check_layout(message)
    if message.encoding not in ("16UC1", "mono16", "32FC1"):
        raise ImageError(f"depth encoding {message.encoding!r}, wanted 16UC1 (mm) or 32FC1 (m)")
    pixels = _converted(message, message.encoding, "passthrough")
    if message.encoding == "32FC1":
        return np.nan_to_num(np.asarray(pixels, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(pixels, np.float32) * np.float32(MILLIMETRES)


def array_to_image(pixels: ByteArray | FloatArray, encoding: str) -> Image:
    """Returns an Image message without stamp; (H, W[, C]) of the encoding's type."""
    pixels = np.ascontiguousarray(pixels)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.is_bigendian = sys.byteorder == "big"
    message.step = pixels.strides[0]
    message.data = array.array("B")
    message.data.frombytes(memoryview(pixels).cast("B"))
    return message


def camera_model(message: CameraInfo, rectified: bool) -> CameraModel | None:
    """Returns the calibration, None where the message says that there is none (K = 0, REP 104).

    Args:
        message: of the image.
        rectified: the image is rectified: P without D, rather than K and D.

    Raises:
        CalibrationError: a calibration that cannot be used.
    """
    roi = message.roi
    return CameraModel.from_camera_info(
        width=message.width,
        height=message.height,
        distortion_model=message.distortion_model,
        D=list(message.d),
        K=list(message.k),
        R=list(message.r),
        P=list(message.p),
        binning_x=message.binning_x,
        binning_y=message.binning_y,
        roi=RegionOfInterest(roi.x_offset, roi.y_offset, roi.width, roi.height, roi.do_rectify),
        rectified=rectified,
    )


def _decoded(message: CompressedImage) -> ByteArray:
    pixels = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_ANYCOLOR) if len(message.data) else None
    if pixels is None:
        raise ImageError(f"compressed image of {len(message.data)} bytes, format {message.format!r}: cannot decode it")
    return np.ascontiguousarray(pixels, np.uint8)


def _pixel_bytes(encoding: str) -> int:
    if encoding in PACKED:
        return PACKED[encoding]
    if found := NAMED.fullmatch(encoding):
        channels = 1 if found[1] else 3 if found[2] else 4
        return channels * int(found[4]) // 8
    if found := GENERIC.fullmatch(encoding):
        return int(found[1]) // 8 * int(found[2])
    raise ImageError(f"encoding {encoding!r}, wanted one of sensor_msgs/image_encodings.hpp")


def _check_layout(message: Image) -> None:
    """Checks that the message holds as many bytes as it says."""
    if not message.height or not message.width:
        raise ImageError(f"image of {message.width} x {message.height} pixels, wanted at least 1 x 1")
    row = message.width * _pixel_bytes(message.encoding)
    if message.step < row:
        raise ImageError(f"step {message.step}, wanted at least {row} for {message.width} pixels {message.encoding}")
    size = message.step * message.height
    if len(message.data) < size:
        raise ImageError(f"image data of {len(message.data)} bytes, wanted {size} (step x height)")


def _converted(message: Image, encoding: str, wanted: str) -> Any:
    message = _tight(message, encoding)
    try:
        return _convert(message, wanted)
    except (*_CONVERSION_ERRORS, cv2.error, ValueError) as error:
        raise ImageError(f"cannot convert {message.encoding} to {wanted}: {error}") from error


def _tight(message: Image, encoding: str) -> Image:
    """The same image without padding at the end of its rows, under the given encoding; the argument stays as it is."""
    row = message.width * _pixel_bytes(encoding)
    if message.step == row and message.encoding == encoding and len(message.data) == row * message.height:
        return message
    rows = np.frombuffer(message.data, np.uint8)[: message.step * message.height].reshape(message.height, -1)
    tight = array_to_image(rows[:, :row], encoding)
    tight.width, tight.step, tight.is_bigendian = message.width, row, message.is_bigendian
    return tight
