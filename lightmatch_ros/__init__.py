# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Learned feature matching for ROS 2: matches, homographies and relative poses from camera streams."""

__version__ = "0.1.0"
