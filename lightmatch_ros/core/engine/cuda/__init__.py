# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""LightGlue on CUDA. Not yet measured on a GPU."""

from lightmatch_ros.core.engine.cuda.buckets import Buckets
from lightmatch_ros.core.engine.cuda.engine import CudaEngine
from lightmatch_ros.core.engine.cuda.schemes import Scheme

__all__ = ["Buckets", "CudaEngine", "Scheme"]
