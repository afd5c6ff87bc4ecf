# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Extraction beside matching: one extractor for several threads, and the way of its features to the matching one."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

import torch

from lightmatch_ros.core.config import MatcherConfig
from lightmatch_ros.core.engine.cuda.errors import device_errors
from lightmatch_ros.core.features import Extractor
from lightmatch_ros.core.types import ByteArray, Features

# Fewer are better spent on one stage after the other. With 2 cores the node matched 1.1 times as many frames with
# SIFT and fewer with XFeat, whose convolutions use both cores; 4 is a guess.
MIN_CORES = 4


def overlaps(config: MatcherConfig, device: torch.device, cores: int) -> bool:
    """Decides whether an image is extracted while the one before it is matched.

    Args:
        config: its overlap and threads count.
        device: where the networks run.
        cores: CPU cores that this process may use.
    """
    if config.overlap != "auto":
        return config.overlap == "always"
    return device.type == "cuda" or (cores >= MIN_CORES and config.threads != 1)


def usable_cores() -> int:
    """Returns how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, eq=False)
class Extracted:
    """Features that another thread may have extracted.

    Attributes:
        pending: the features; their descriptors may still be under way on the device.
        done: recorded behind the descriptors; None where they are there.
        extract_ms: wall time of the extraction.
    """

    pending: Features
    done: torch.cuda.Event | None
    extract_ms: float

    def take(self) -> Features:
        """Returns the features for use on the calling thread's current stream, which waits for them."""
        if self.done is not None:
            descriptors = self.pending.descriptors
            stream = torch.cuda.current_stream(descriptors.device)
            stream.wait_event(self.done)
            descriptors.record_stream(stream)  # their memory must not be used anew before this stream is done
        return self.pending


class SharedExtractor:
    """An extractor that any thread may use; images are extracted one at a time.

    On CUDA it runs on a stream of its own, beside the matching. That is not yet measured on a GPU.

    Args:
        extractor: used by nobody else.
        device: where its networks run and its descriptors go.
    """

    def __init__(self, extractor: Extractor, device: torch.device) -> None:
        self._extractor = extractor
        self._lock = threading.Lock()
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(device))  # the weights are on their way there

    def extract(self, image: ByteArray, mask: ByteArray | None = None) -> Extracted:
        """See `Extractor.extract`.

        Raises:
            ImageError: an image or mask that cannot be used.
            DeviceMemoryError: no memory for this image.
            DeviceLostError: the device no longer answers.
        """
        started = time.perf_counter()
        # No stream: stays on the current one.
        with device_errors("extracting"), self._lock, torch.cuda.stream(self._stream):
            features = self._extractor.extract(image, mask)
            done = None if self._stream is None else self._stream.record_event()
        return Extracted(features, done, (time.perf_counter() - started) * 1e3)
