# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The buffers of one program: everything that its steps read and write, at fixed addresses.

Words: a request goes to the device before the steps run, an answer comes back after them; each is one copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lightmatch_ros.core.lightglue import Adaptivity, Architecture, NetworkOutput

# An answer's int32 words of a pair: these, then ROW_FIELDS numbers for each row of the capacity.
HEADER = 3  # stop layer, points of image 0 left, of image 1
ROW_FIELDS = 5  # index 0, index 1 (-1: no match), score (float32 bits), layers of image 0, of image 1
_SETTINGS = 6


def request_words(batch: int) -> int:
    """Length of a request, int32 words."""
    return 2 * batch + _SETTINGS


def answer_shape(batch: int, capacity: int) -> tuple[int, int]:
    """Shape of an answer, int32."""
    return batch, HEADER + ROW_FIELDS * capacity


def write_request(
    words: Tensor, counts: Sequence[tuple[int, int]], adaptivity: Adaptivity, filter_threshold: float
) -> None:
    """Fills a request, int32 on the host; pairs beyond the counts are empty."""
    batch = (len(words) - _SETTINGS) // 2
    words.zero_()
    words[: 2 * len(counts)] = torch.tensor(counts, dtype=torch.int32).flatten()
    words[2 * batch] = adaptivity.min_points
    words[2 * batch + 1 :].view(torch.float32).copy_(
        torch.tensor(
            [
                float(adaptivity.stops),
                adaptivity.depth_confidence,
                float(adaptivity.prunes),
                1 - adaptivity.width_confidence,
                filter_threshold,
            ]
        )
    )


@dataclass(frozen=True, eq=False)
class Request:
    """Views of a request on the device: any value of a setting runs without another capture.

    Attributes:
        words: all of it, int32.
        counts: (B, 2) int32.
        min_points: () int32.
        stops, prunes: () float32, 0 or 1.
        depth, unmatchable, threshold: () float32: depth_confidence, 1 - width_confidence, filter_threshold.
    """

    words: Tensor
    counts: Tensor
    min_points: Tensor
    stops: Tensor
    depth: Tensor
    prunes: Tensor
    unmatchable: Tensor
    threshold: Tensor

    @classmethod
    def allocate(cls, batch: int, device: torch.device) -> Request:
        """Returns an empty request."""
        words = torch.zeros(request_words(batch), dtype=torch.int32, device=device)
        settings = words[2 * batch + 1 :].view(torch.float32).unbind()
        return cls(words, words[: 2 * batch].view(batch, 2), words[2 * batch], *settings)


@dataclass(frozen=True, eq=False)
class Answer:
    """Views of an answer on the device.

    Attributes:
        words: all of it, (B, HEADER + ROW_FIELDS C) int32.
        stop_layer: (B,) layers that a pair has run.
        counts: (B, 2) points that are left.
        index0, index1: (B, C) of the points that came in; index1 is -1 where a row of image 0 has no match.
        scores: (B, C) float32.
        layers: (B, 2, C), see `NetworkOutput`.
    """

    words: Tensor
    stop_layer: Tensor
    counts: Tensor
    index0: Tensor
    index1: Tensor
    scores: Tensor
    layers: Tensor

    @classmethod
    def allocate(cls, batch: int, capacity: int, device: torch.device) -> Answer:
        """Returns an empty answer."""
        words = torch.zeros(answer_shape(batch, capacity), dtype=torch.int32, device=device)
        rows = words[:, HEADER:].view(batch, ROW_FIELDS, capacity)
        return cls(
            words, words[:, 0], words[:, 1:HEADER], rows[:, 0], rows[:, 1], rows[:, 2].view(torch.float32), rows[:, 3:]
        )


class Ports(Protocol):
    """What a program's outside fills in and reads."""

    @property
    def request(self) -> Request:
        """What is asked for."""

    @property
    def answer(self) -> Answer:
        """What was found."""

    @property
    def x(self) -> Tensor:
        """(B, 2, C, D) float32, states after the first self-attention."""

    @property
    def encoding(self) -> Tensor:
        """(B, 2, C, 2 head_dim), cosines and signed sines, in the products' type."""


@dataclass(frozen=True, eq=False)
class State:
    """Pairs on their way through the layers.

    Attributes:
        request, answer: see there. The answer's counts and layers are the current ones.
        x: (B, 2, C, D) float32, states.
        encoding: (B, 2, C, 2 head_dim), cosines and signed sines, in the products' type.
        kept: (B, 2, C) int64, each row's index among the points that its image came with.
        total: (B,) float32, points of both images that came in.
        running: (B,) bool, pairs that have not ended.
        flags: (L + 1, W) bool: which width step i runs on, none where all pairs have ended; the last row is the
            assignment's, which always runs.
    """

    request: Request
    answer: Answer
    x: Tensor
    encoding: Tensor
    kept: Tensor
    total: Tensor
    running: Tensor
    flags: Tensor

    @classmethod
    def allocate(
        cls, architecture: Architecture, batch: int, widths: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> State:
        """Returns empty buffers for images of widths[0] points; zeros, so that no row is ever NaN."""
        capacity, a = widths[0], architecture
        return cls(
            Request.allocate(batch, device),
            Answer.allocate(batch, capacity, device),
            torch.zeros(batch, 2, capacity, a.descriptor_dim, device=device),
            torch.zeros(batch, 2, capacity, 2 * a.head_dim, dtype=dtype, device=device),
            torch.zeros(batch, 2, capacity, dtype=torch.int64, device=device),
            torch.zeros(batch, device=device),
            torch.zeros(batch, dtype=torch.bool, device=device),
            torch.zeros(a.n_layers + 1, len(widths), dtype=torch.bool, device=device),
        )

    def begin(self, widths: Tensor) -> None:
        """Resets all but the states and encodings for the request's counts.

        Args:
            widths: (W,) int32, descending.
        """
        counts = self.request.counts
        self.answer.words.zero_()
        self.answer.counts.copy_(counts)
        self.answer.index1.fill_(-1)
        self.answer.layers.fill_(1)
        self.kept.copy_(torch.arange(self.kept.shape[-1], device=self.kept.device).expand_as(self.kept))
        self.total.copy_(counts.sum(1))
        self.running.copy_((counts > 0).all(1))
        self.flags.zero_()
        self.choose_width(0, widths, self.running)

    def choose_width(self, step: int, widths: Tensor, pairs: Tensor) -> None:
        """Sets a step's flags: the smallest width that holds the images of these pairs, (B,) bool; none for none."""
        needed = self.answer.counts.amax(1).masked_fill(~pairs, 0).max()
        fits = (widths >= needed) & (needed > 0)
        smaller_fits = torch.cat([fits[1:], torch.zeros_like(fits[:1])])
        self.flags[step].copy_(fits & ~smaller_fits)


def read_answer(words: Tensor, counts: tuple[int, int]) -> NetworkOutput:
    """Reads a pair's row of an answer on the host into tensors of their own.

    Args:
        words: (HEADER + ROW_FIELDS C,) int32.
        counts: points that came in.
    """
    stop_layer, left0, left1 = words[:HEADER].tolist()
    index0, index1, bits, layers0, layers1 = words[HEADER:].view(ROW_FIELDS, -1)
    found = (index1[:left0] >= 0).nonzero().squeeze(1)
    return NetworkOutput(
        index0[found].long(),
        index1[found].long(),
        bits.view(torch.float32)[found],
        stop_layer,
        left0 + left1,
        layers0[: counts[0]].long(),
        layers1[: counts[1]].long(),
    )
