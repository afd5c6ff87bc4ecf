# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Calibration files: what camera_calibration writes, or a bare matrix K."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lightmatch_ros.core.camera import CameraModel
from lightmatch_ros.core.distortion import named
from lightmatch_ros.core.errors import CalibrationError
from lightmatch_ros.core.types import DoubleArray

_YAML_SUFFIXES = (".yaml", ".yml")


def load_calibration(path: Path, size: tuple[int, int]) -> CameraModel:
    """Reads a calibration.

    Args:
        path: a YAML file as ROS's camera_calibration and camera_info_manager write it (K and D are used, the
            rectification is not), or a text file of 3 x 3 numbers: K without distortion.
        size: (width, height) of the images that it is for, pixels.

    Raises:
        CalibrationError: cannot be read, misses a field, or is for another size.

    Source: camera_calibration_parsers, the format of camera_info files.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"calibration {path}: {error}") from error
    try:
        if path.suffix.lower() in _YAML_SUFFIXES:
            return _from_yaml(text, size)
        return CameraModel.from_matrix(_numbers(text.split(), 9, "K"), size)
    except CalibrationError as error:
        raise CalibrationError(f"calibration {path}: {error}") from error


def _from_yaml(text: str, size: tuple[int, int]) -> CameraModel:
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CalibrationError(f"got text that is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(fields, dict):
        raise CalibrationError(f"got {type(fields).__name__}, wanted the fields of a camera_info file")
    seen = (fields.get("image_width"), fields.get("image_height"))
    if seen != size:
        raise CalibrationError(f"got image_width, image_height {seen}, wanted {size} of the images")
    K = _numbers(_data(fields, "camera_matrix"), 9, "camera_matrix").reshape(3, 3)
    D = _numbers(_data(fields, "distortion_coefficients"), None, "distortion_coefficients")
    coefficients, model = named(str(fields.get("distortion_model", "")), D)
    return CameraModel(K, coefficients, model, *size)


def _data(fields: dict[str, Any], name: str) -> Any:
    matrix = fields.get(name)
    if not isinstance(matrix, dict) or not isinstance(matrix.get("data"), list):
        raise CalibrationError(f"{name}: got {matrix!r}, wanted a matrix with rows, cols and data")
    return matrix["data"]


def _numbers(values: list[Any], count: int | None, name: str) -> DoubleArray:
    if count is not None and len(values) != count:
        raise CalibrationError(f"{name}: got {len(values)} numbers, wanted {count}")
    try:
        return np.array([float(value) for value in values])
    except (TypeError, ValueError) as error:
        raise CalibrationError(f"{name}: got {values}, wanted numbers") from error
