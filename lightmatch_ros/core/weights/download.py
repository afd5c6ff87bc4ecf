# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Downloads one weights file: whole and verified, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lightmatch_ros.core.errors import WeightsError
from lightmatch_ros.core.weights.registry import WeightsFile

# Called with the bytes that have arrived and the total, None where the server does not say.
Progress = Callable[[int, "int | None"], None]

_CHUNK_BYTES = 1 << 18  # guess: a progress bar moves smoothly, the overhead stays invisible


def fetch(
    file: WeightsFile,
    directory: Path,
    *,
    progress: Progress | None = None,
    timeout_s: float = 30.0,
    limit_s: float = 1800.0,
) -> Path:
    """Downloads a file into a directory under its own name.

    The file appears under that name only once it is complete and its digest, where one is known, is right.

    Args:
        file: what to download; must have a URL.
        directory: made where it does not exist.
        progress: see `Progress`.
        timeout_s: longest wait for the server at any one time, s.
        limit_s: longest time for the whole file, s.

    Returns:
        Where the file is now.

    Raises:
        WeightsError: no URL, no connection, a broken or slow download, a wrong digest, a directory that cannot be
            written to. Nothing of the download is left.
    """
    if file.url is None:
        raise WeightsError(f"{file.filename} cannot be downloaded: no address is known for it")
    target = directory / file.filename
    partial = directory / f".{file.filename}.{secrets.token_hex(4)}.part"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        digest = _transfer(file.url, partial, progress, timeout_s, time.monotonic() + limit_s)
        if file.sha256 not in (None, digest):
            raise WeightsError(f"{file.url}: sha256 {digest}, wanted {file.sha256}")
        partial.replace(target)
    except (OSError, http.client.HTTPException) as error:  # URLError, HTTPError and time-outs are OSError
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise WeightsError(
            f"could not download {file.url}: {error}; download it by other means and put it at {target}"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the directory may not even exist
            partial.unlink()
    return target


def _transfer(url: str, partial: Path, progress: Progress | None, timeout_s: float, deadline: float) -> str:
    """Writes what a URL holds; returns its digest."""
    request = urllib.request.Request(url, headers={"User-Agent": "lightmatch"})
    with urllib.request.urlopen(request, timeout=timeout_s) as response, partial.open("wb") as out:
        length = response.headers.get("Content-Length")
        total = int(length) if length is not None and length.isdigit() else None
        done, digest = _copy(response, out, total, progress, deadline)
    if total is not None and done != total:
        raise ConnectionError(f"connection closed after {done} of {total} bytes")
    return digest


def _copy(
    source: http.client.HTTPResponse, out: IO[bytes], total: int | None, progress: Progress | None, deadline: float
) -> tuple[int, str]:
    """Copies until the end; returns the number of bytes and their digest."""
    done, digest = 0, hashlib.sha256()
    while chunk := source.read1(_CHUNK_BYTES):  # what has arrived: a slow server must not outwait the deadline
        if time.monotonic() > deadline:
            raise TimeoutError(f"out of time after {done} bytes")
        out.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, total)
    return done, digest.hexdigest()
