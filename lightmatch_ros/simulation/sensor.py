# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What a sensor does to an image: changing exposure and noise."""

from __future__ import annotations

import math

import cv2
import numpy as np

from lightmatch_ros.core.types import ByteArray

_DRIFT_PERIOD_S = 17.0  # a guess; no divisor of the trajectory's period, so that every loop looks different
_SPARE = 64  # a bank of noise this much larger than the image gives 65 x 65 different crops


class Sensor:
    """Adds exposure drift and noise to images of one size.

    Noise is cut at random from a bank that is drawn once: drawing it anew would cost as much as the rendering.
    """

    def __init__(self, size: tuple[int, int], noise_std: float = 0.0, exposure_drift: float = 0.0, seed: int = 0):
        """Draws the bank of noise.

        Args:
            size: (width, height) of the images, pixels.
            noise_std: standard deviation of Gaussian noise, grey levels.
            exposure_drift: the brightness swings between 1 - this and 1 + this.
            seed: of the noise.
        """
        self._rng = np.random.default_rng(seed)
        self._size = size
        self._drift = exposure_drift
        self._bank = np.zeros((0, 0, 3), np.int16)
        if noise_std > 0:
            shape = (size[1] + _SPARE, size[0] + _SPARE, 3)
            self._bank = np.rint(noise_std * self._rng.standard_normal(shape, np.float32)).astype(np.int16)

    def expose(self, image: ByteArray, t_s: float) -> ByteArray:
        """Returns the image as the sensor gives it at a time.

        Args:
            image: (H, W, 3) uint8, BGR.
            t_s: seconds.
        """
        if self._drift > 0:
            gain = 1 + self._drift * math.sin(2 * math.pi * t_s / _DRIFT_PERIOD_S)
            image = np.asarray(cv2.convertScaleAbs(image, alpha=gain), np.uint8)
        if self._bank.size:
            x, y = self._rng.integers(0, _SPARE + 1, 2)
            noise = self._bank[y : y + self._size[1], x : x + self._size[0]]
            image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
        return image
