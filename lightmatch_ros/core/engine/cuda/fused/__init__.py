# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue on CUDA as few fused Triton kernels that all look at the device's own counts. Not yet measured on a GPU.

One plain graph holds a whole match: each kernel is launched for the capacity and each of its programs returns at once
where its points are pruned or its pair has ended. So neither widths, nor conditions in the graph, nor a host that reads
flags are needed, and work shrinks by the tile.
"""

import importlib.util


def has_triton() -> bool:
    """Tells whether Triton is installed; torch's CUDA wheels for Linux bring it."""
    return importlib.util.find_spec("triton") is not None
