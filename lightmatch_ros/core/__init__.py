# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The matcher without ROS: images in, correspondences, homographies and relative poses out."""
