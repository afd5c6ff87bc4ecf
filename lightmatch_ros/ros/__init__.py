# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: the node, its parameters, messages and threads, and the virtual camera."""
