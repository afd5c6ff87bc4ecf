# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Small tensors: one thread is as fast, and does not wait for a busy machine's second core at every operation."""

import torch

torch.set_num_threads(1)
