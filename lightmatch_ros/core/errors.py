# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The tree of errors that this package raises on purpose.

    LightmatchError
    +-- ConfigurationError      stops the program at its start, with one clear line
    |   +-- WeightsError        a weights file is missing, damaged or does not fit
    |   +-- DeviceError         a device was asked for that is not there
    |       +-- DeviceLostError a device no longer answers: the process has to start again
    +-- InputError              one input is unusable; the next one may be good
        +-- ImageError          an image that cannot be decoded or matched
        +-- CalibrationError    a camera calibration that cannot be used
        +-- DeviceMemoryError   the device has no memory for this many keypoints: fewer may do

Each message states the value seen and the value wanted.
"""


class LightmatchError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigurationError(LightmatchError):
    """A parameter, command line or file that the program cannot start with."""


class WeightsError(ConfigurationError):
    """A weights file that is missing, damaged, or does not fit the network."""


class DeviceError(ConfigurationError):
    """A compute device that was asked for and is not there."""


class DeviceLostError(DeviceError):
    """The CUDA context is unusable; nothing on this device works until the process starts again."""


class InputError(LightmatchError):
    """One input that cannot be used; the stream goes on."""


class ImageError(InputError):
    """An image that cannot be decoded or matched."""


class CalibrationError(InputError):
    """A camera calibration that cannot be used."""


class DeviceMemoryError(InputError):
    """The device has no memory left for this many keypoints; the caller may try again with fewer."""
