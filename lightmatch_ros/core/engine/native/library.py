# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Compiles the C++ kernels for this machine's processor, once; the library is kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from lightmatch_ros.core.engine.cache import cache_folder, processor

SOURCES = ("assignment.cpp", "attention.cpp", "rowwise.cpp")
_FOLDER = Path(__file__).parent
# GCC's own header of the intrinsics gives false warnings of the last kind.
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-fPIC", "-Wall", "-Wno-maybe-uninitialized")
_TIME_LIMIT_S = 120


class NativeBuildError(Exception):
    """The kernels cannot be had here; the text says why. Not an error of the user's: torch's kernels serve."""


def build() -> Path:
    """Returns the library, compiled now unless that was done before: 2 s.

    Raises:
        NativeBuildError: no compiler, or one that fails.
    """
    compiler = shlex.split(os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or "")
    if not compiler:
        raise NativeBuildError("no C++ compiler: got no g++, clang++ or $CXX")
    library = cache_folder() / f"kernels-{_fingerprint(compiler)}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            unfinished = _compile(compiler, Path(folder))
            unfinished.replace(library)  # in one step: two nodes may start at once
    return library


def openmp_runtime() -> Path:
    """Returns the OpenMP library that torch has loaded: threads of a second one would compete with torch's.

    Raises:
        NativeBuildError: torch has none that can be linked to.
    """
    try:
        mapped = Path("/proc/self/maps").read_text()
    except OSError as error:
        raise NativeBuildError(f"cannot tell which OpenMP library torch uses: {error}") from error
    for line in mapped.splitlines():
        name = line.split()[-1]
        if "libgomp" in Path(name).name or "libomp" in Path(name).name or "libiomp" in Path(name).name:
            return Path(name)
    raise NativeBuildError("torch uses no OpenMP library here")


def _compile(compiler: list[str], folder: Path) -> Path:
    objects = [str(folder / f"{Path(source).stem}.o") for source in SOURCES]
    for source, target in zip(SOURCES, objects, strict=True):
        _run([*compiler, *_FLAGS, "-c", str(_FOLDER / source), "-o", target])
    library = folder / "kernels.so"
    _run([*compiler, "-shared", "-o", str(library), *objects, str(openmp_runtime())])
    return library


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeBuildError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise NativeBuildError(f"{command[0]} failed: {lines[0]}")


def _fingerprint(compiler: list[str]) -> str:
    """Of all that the library depends on: sources, compiler, flags, torch and the processor."""
    parts = [(_FOLDER / name).read_bytes() for name in (*SOURCES, "simd.h")]
    parts += [" ".join(compiler).encode(), " ".join(_FLAGS).encode(), torch.__version__.encode(), processor().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
