# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The C++ kernels, called with torch's tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from lightmatch_ros.core.engine.cache import processor_flags
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.native.library import NativeBuildError, build

# What simd.h uses, and what it uses for bfloat16.
_NEEDED = {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
_NEEDED_FOR_BF16 = {"avx512_bf16"}
_POINTER, _COUNT, _THREADS = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_ARGUMENTS = {
    "attend": [_POINTER, _COUNT, _COUNT] * 4 + [_COUNT] * 4 + [_THREADS],
    "rotate": [_POINTER, _COUNT, _POINTER, _POINTER, _COUNT, _COUNT, _COUNT, _COUNT, _THREADS],
    "norm_gelu": [_POINTER, _POINTER, _POINTER, _COUNT, _COUNT, _THREADS],
    "assign": [_POINTER] * 3 + [_COUNT] * 2 + [_POINTER] * 3 + [_THREADS],
    "add": [_POINTER, _POINTER, _POINTER, _COUNT, _COUNT, _COUNT, _THREADS],
}


class NativeKernels:
    """See `Kernels` for what each does. Tensors are float32, or bfloat16 where the precision is.

    Args:
        library: from `build`.
        precision: of the tensors but the states.
    """

    def __init__(self, library: Path, precision: Precision) -> None:
        loaded = ctypes.CDLL(str(library))

        def function(name: str, suffix: str = f"_{precision.value}") -> Callable[..., int]:
            found = getattr(loaded, f"lightmatch_{name}{suffix}")
            found.argtypes = _ARGUMENTS[name]
            found.restype = ctypes.c_int if name in ("attend", "assign") else None
            return found  # type: ignore[no-any-return]  # ctypes knows no types

        self._attend, self._rotate = function("attend"), function("rotate")
        self._norm_gelu, self._add = function("norm_gelu"), function("add")
        self._assign = function("assign", "")

    def rotate(self, heads: Tensor, encoding: Tensor) -> None:
        """See `Kernels.rotate`."""
        rows, count, channels = heads.shape
        cosine, sine = encoding[0], encoding[1, :, channels // 2 :]
        self._rotate(
            heads.data_ptr(), heads.stride(0), cosine.data_ptr(), sine.data_ptr(), encoding.stride(1),
            rows, count, channels // 2, torch.get_num_threads(),
        )  # fmt: skip

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
        """See `Kernels.attend`.

        Raises:
            MemoryError: no room for the packed keys and values.
        """
        places = [(t.data_ptr(), t.stride(1), t.stride(0)) for t in (queries, keys, values, out)]
        rows, heads, channels = queries.shape
        code = self._attend(
            *(x for place in places for x in place), heads, rows, len(keys), channels, torch.get_num_threads()
        )
        if code:
            raise MemoryError(f"attention of {heads} heads, {rows} x {len(keys)} x {channels}: error {code}")

    def norm_gelu(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """See `Kernels.norm_gelu`."""
        self._norm_gelu(x.data_ptr(), scale.data_ptr(), shift.data_ptr(), *x.shape, torch.get_num_threads())
        return x

    def add(self, states: Tensor, update: Tensor, low: Tensor) -> None:
        """See `Kernels.add`."""
        self._add(
            states.data_ptr(), update.data_ptr(), low.data_ptr(), low.stride(0), *states.shape, torch.get_num_threads()
        )

    def assign(self, similarity: Tensor, logits0: Tensor, logits1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernels.assign`.

        Raises:
            MemoryError: no room for what is known of the columns.
        """
        rows, columns = similarity.shape
        values = torch.empty(rows)
        best1, best0 = (torch.empty(n, dtype=torch.int64) for n in (rows, columns))
        contiguous = [t.contiguous() for t in (similarity, logits0, logits1)]  # held while they are read
        code = self._assign(
            *(t.data_ptr() for t in contiguous), rows, columns,
            values.data_ptr(), best1.data_ptr(), best0.data_ptr(), torch.get_num_threads(),
        )  # fmt: skip
        if code:
            raise MemoryError(f"assignment of {rows} x {columns}: error {code}")
        return values, best1, best0


def load_kernels(precision: Precision, head_dim: int) -> NativeKernels:
    """Compiles and loads the kernels.

    Raises:
        NativeBuildError: a processor, a width of the heads or a system that they are not made for.
    """
    needed = _NEEDED | (_NEEDED_FOR_BF16 if precision is Precision.BF16 else set())
    if lacking := needed - processor_flags():
        raise NativeBuildError(f"the processor lacks {', '.join(sorted(lacking))}")
    if head_dim % 16:
        raise NativeBuildError(f"heads of {head_dim} channels, wanted a multiple of 16")
    library = build()
    try:
        return NativeKernels(library, precision)
    except (OSError, AttributeError) as error:
        raise NativeBuildError(f"{library} cannot be loaded: {error}") from error
