# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""What is decided after each layer for pairs that run together: which have their answer, which points go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lightmatch_ros.core.engine.folded import Affine
from lightmatch_ros.core.engine.rows import Rows
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, NetworkOutput, adaptive
from lightmatch_ros.core.lightglue.network import no_matches
from lightmatch_ros.core.types import FloatArray

# (M', D) and (N', D) states to indices0, indices1 and scores.
Assign = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


class Progress:
    """The pairs' answers as they come; the decisions are `adaptive`'s, as in the reference network.

    Args:
        counts: points of images 0 and 1 of each pair.
        adaptivity: early stopping and pruning.
        architecture: of the network.
    """

    def __init__(self, counts: list[tuple[int, int]], adaptivity: Adaptivity, architecture: Architecture) -> None:
        self._counts = counts
        self._adaptivity = adaptivity
        self._n_layers = architecture.n_layers
        first = 1 if adaptivity.prunes else self._n_layers
        self._layers = [np.full(count, first, np.int64) for pair in counts for count in pair]
        self._outputs: dict[int, NetworkOutput] = {
            p: no_matches(m, n, architecture, torch.device("cpu")) for p, (m, n) in enumerate(counts) if not (m and n)
        }

    @property
    def outputs(self) -> list[NetworkOutput]:
        """The answers, in the order of the pairs, when all have theirs."""
        return [self._outputs[p] for p in range(len(self._counts))]

    def waiting(self) -> list[int]:
        """The pairs that have no answer yet."""
        return [p for p in range(len(self._counts)) if p not in self._outputs]

    def after_layer(self, layer: int, rows: Rows, decide: Affine | None, assign: Assign) -> None:
        """Gives the pairs that end their answers and removes their rows and the pruned ones.

        Args:
            layer: the layer that has run, counted from 0.
            rows: changed in place.
            decide: of the layer, see `FoldedLayer`.
            assign: reads matches from a pair's states.
        """
        if layer == self._n_layers - 1:
            for place in range(len(rows.pairs)):
                self._answer(place, layer, rows, assign)
            rows.pairs = []
        elif self._adaptivity.active and decide is not None:
            self._adapt(layer, rows, decide, assign)

    def _adapt(self, layer: int, rows: Rows, decide: Affine, assign: Assign) -> None:
        threshold = adaptive.confidence_threshold(layer, self._n_layers)
        # sync: to decide; as arrays, since a small operation takes numpy a third of torch's time
        confidences, matchability = F.linear(rows.states, decide.weight, decide.bias).sigmoid().numpy().T
        stopped = self._stopped(rows, confidences, threshold)
        stay = np.ones(len(confidences), bool)
        if self._adaptivity.prunes and not all(stopped):
            wanted = adaptive.points_to_keep(confidences, matchability, threshold, self._adaptivity.width_confidence)
            for i, r in enumerate(rows.images()):
                if rows.counts[i] > self._adaptivity.min_points and not stopped[i // 2]:
                    stay[r] = wanted[r]
                    self._layers[self._image(rows, i)][rows.kept[r]] += wanted[r]
        for place, end in enumerate(stopped):
            if end:
                self._answer(place, layer, rows, assign)
        rows.keep(stay, stopped)
        self._answer_emptied(layer, rows, assign)

    def _stopped(self, rows: Rows, confidences: FloatArray, threshold: float) -> list[bool]:
        """Whether each pair that is left stops."""
        if not self._adaptivity.stops:
            return [False] * len(rows.pairs)
        images, stopped = rows.images(), []
        for place, pair in enumerate(rows.pairs):
            of_pair = confidences[images[2 * place].start : images[2 * place + 1].stop]
            unsure = np.float32(np.count_nonzero(of_pair < threshold))
            stopped.append(
                bool(adaptive.few_unsure(unsure, sum(self._counts[pair]), self._adaptivity.depth_confidence))
            )
        return stopped

    def _answer_emptied(self, layer: int, rows: Rows, assign: Assign) -> None:
        """Ends the pairs of which an image has lost all its points."""
        emptied = [not (m and n) for m, n in zip(rows.counts[0::2], rows.counts[1::2], strict=True)]
        if any(emptied):
            for place in range(len(rows.pairs)):
                if emptied[place]:
                    self._answer(place, layer, rows, assign)
            rows.keep(np.ones(sum(rows.counts), bool), emptied)

    def _answer(self, place: int, layer: int, rows: Rows, assign: Assign) -> None:
        rows0, rows1 = rows.images()[2 * place : 2 * place + 2]
        kept0, kept1 = torch.from_numpy(rows.kept[rows0]), torch.from_numpy(rows.kept[rows1])
        indices0 = indices1 = kept0.new_empty(0)
        scores = rows.states.new_empty(0)
        if len(kept0) and len(kept1):
            indices0, indices1, scores = assign(rows.states[rows0], rows.states[rows1])
        image0, image1 = self._image(rows, 2 * place), self._image(rows, 2 * place + 1)
        self._outputs[rows.pairs[place]] = NetworkOutput(
            kept0[indices0],
            kept1[indices1],
            scores,
            layer + 1,
            len(kept0) + len(kept1),
            torch.from_numpy(self._layers[image0]),
            torch.from_numpy(self._layers[image1]),
        )

    @staticmethod
    def _image(rows: Rows, i: int) -> int:
        """The i-th image that is left, among all images at the start."""
        return 2 * rows.pairs[i // 2] + i % 2
