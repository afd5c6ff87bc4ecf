# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How good matchers are on pairs of images whose geometry is known; nothing here needs ROS."""
