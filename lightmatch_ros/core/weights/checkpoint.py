# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Reads and verifies weights files, and fills a network from them key by key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights.registry import WeightsEntry, WeightsFile

_CHUNK_BYTES = 1 << 20
_MATCHER_PREFIX = "matcher."
_NESTED_UNDER = ("model", "state_dict")  # where training programs put the weights beside optimizer and epoch


def load_state_dict(path: Path, entry: WeightsEntry | None = None) -> dict[str, Tensor]:
    """Reads the tensors of a safetensors file, or of one that torch.save wrote; runs no code from the file.

    Checkpoints of a whole pipeline keep the matcher under "matcher."; of those, only the matcher is returned, without
    that prefix.

    Args:
        path: told apart by content, not by name.
        entry: the weights that it should be; their digest is verified where one is known.

    Returns:
        The tensors by key, on the CPU.

    Raises:
        WeightsError: no such file, damaged, truncated, another digest, or something other than named tensors.
    """
    if entry is not None:
        verify(path, entry.files)
    tensors = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    if not any(key.startswith(_MATCHER_PREFIX) for key in tensors):
        return tensors
    matcher = {key: value for key, value in tensors.items() if key.startswith(_MATCHER_PREFIX)}
    return {key.removeprefix(_MATCHER_PREFIX): value for key, value in matcher.items()}


def read_metadata(path: Path) -> dict[str, str]:
    """Returns the free-form metadata of a safetensors file; empty for other files.

    Raises:
        WeightsError: no such file, damaged or truncated.
    """
    if not _is_safetensors(path):
        return {}
    try:
        with safe_open(str(path), "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def sha256_of(path: Path) -> str:
    """Returns the hexadecimal digest of a file.

    Raises:
        WeightsError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return digest.hexdigest()


def verify(path: Path, known: Iterable[WeightsFile]) -> bool:
    """Compares a file with the known ones of its name.

    Returns:
        True where its digest is right, False where none is known for its name.

    Raises:
        WeightsError: another digest than every known one.
    """
    wanted = [file.sha256 for file in known if file.filename == path.name and file.sha256 is not None]
    if not wanted:
        return False
    digest = sha256_of(path)
    if digest not in wanted:
        raise WeightsError(
            f"{path}: sha256 {digest}, wanted {' or '.join(wanted)}; replace or remove this damaged or different file"
        )
    return True


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, may_be_missing: str = "(?!)") -> None:
    """Fills a module; every key and shape must fit.

    Args:
        module: changed in place.
        tensors: values under the module's names.
        may_be_missing: regular expression for the whole key of tensors that the module computes itself; those keep
            their values. By default none.

    Raises:
        WeightsError: names the missing and unexpected keys and the wrong shapes; the module is as before.
    """
    wanted = module.state_dict()
    missing = [k for k in wanted if k not in tensors and not re.fullmatch(may_be_missing, k)]
    faults = [f"missing key {key}" for key in missing]
    faults += [f"unexpected key {key}" for key in tensors if key not in wanted]
    faults += [
        f"{key} has shape {tuple(value.shape)}, wanted {tuple(wanted[key].shape)}"
        for key, value in tensors.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise WeightsError("checkpoint does not fit: " + "; ".join(faults[:5]) + more)
    module.load_state_dict({**wanted, **tensors})


def _is_safetensors(path: Path) -> bool:
    """Whether a file starts as safetensors do: 8 bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return start[8:] == b"{" and not start.startswith(b"PK")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a dict, cannot be iterated
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything: EOFError, KeyError, UnicodeDecodeError, ...
        raise _damaged(path, error) from error
    for key in _NESTED_UNDER:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"{path}: got a {type(content).__name__}, wanted tensors by name")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: {key!r} is a {type(value).__name__}, wanted a tensor by name")
    return dict(content)


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return WeightsError(f"{path} is damaged, truncated or no checkpoint: {reason}")
