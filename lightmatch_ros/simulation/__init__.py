# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The virtual camera without ROS: a textured room, its exact renderer, a known trajectory, sources of frames."""
