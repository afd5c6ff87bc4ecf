# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How the bundled weights are made: data from photographs, training, evaluation, export."""
