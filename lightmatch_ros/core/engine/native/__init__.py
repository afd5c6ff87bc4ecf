# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The kernels in C++, for processors with AVX-512; compiled on the machine where they run."""

from lightmatch_ros.core.engine.native.kernels import NativeKernels, load_kernels
from lightmatch_ros.core.engine.native.library import NativeBuildError, build

__all__ = ["NativeBuildError", "NativeKernels", "build", "load_kernels"]
