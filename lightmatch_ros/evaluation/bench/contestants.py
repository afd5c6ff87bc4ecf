# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Who takes part: one interface for this project's engines and for other projects' matchers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightmatch_ros.core.engine import Engine, Precision, create_engine
from lightmatch_ros.core.engine.cuda import CudaEngine, Scheme
from lightmatch_ros.core.engine.cuda.schemes import schemes
from lightmatch_ros.core.engine.product import cpu_multiplies_bf16
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput, Points
from lightmatch_ros.core.lightglue.adaptive import FULL
from lightmatch_ros.evaluation.bench.workload import FILTER_THRESHOLD, random_pair

EAGER, COMPILED_FP32, COMPILED_BF16 = "eager", "compiled-fp32", "compiled-bf16"
AUTO = "auto"
# The CUDA engine's schemes, of which "compiled" takes the best that works.
_SCHEMES = {f"{scheme}-{precision.value}": (scheme, precision) for scheme in Scheme for precision in Precision}
ENGINES = (AUTO, EAGER, COMPILED_FP32, COMPILED_BF16, *_SCHEMES)
_KINDS = {
    AUTO: ("auto", None),
    EAGER: ("eager", Precision.FP32),
    COMPILED_FP32: ("compiled", Precision.FP32),
    COMPILED_BF16: ("compiled", Precision.BF16),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """What a match came to.

    Attributes:
        indices0, indices1: (K,) of the matches.
        stop_layer: layers that ran.
        kept_ratio: part of all points that were not pruned.
    """

    indices0: Tensor
    indices1: Tensor
    stop_layer: int
    kept_ratio: float = 1.0


Job = Callable[[], Answer]


class Contestant(ABC):
    """Matches pairs of points; the weights are loaded, nothing is warm.

    Attributes:
        name: as it was asked for.
        engine: for the record.
        precision: of the products.
        peer: it is not this project's.
        compiles: its first match of a size compiles in this process.
    """

    name: str
    engine: str
    precision: Precision = Precision.FP32
    peer: bool = True
    compiles: bool = False

    @property
    def compilations(self) -> int | None:
        """See `Engine.compilations`; None where nobody counts them."""
        return None

    @abstractmethod
    def job(self, points0: Points, points1: Points) -> Job:
        """Returns the match of one pair; what a caller would keep from frame to frame is done before it."""

    def warm_up(self, count: int, network: LightGlue, device: torch.device) -> None:
        """Runs a pair of this size once."""
        self.job(*random_pair(network.architecture, (count, count), device))()


class Own(Contestant):
    """An engine of this project."""

    peer = False

    def __init__(self, name: str, engine: Engine, adaptivity: Adaptivity = FULL) -> None:
        self.name = name
        self.engine = engine.name
        self.precision = engine.precision
        self._engine = engine
        self._adaptivity = adaptivity

    @property
    def compilations(self) -> int:
        """See `Engine.compilations`."""
        return self._engine.compilations

    @property
    def keeps(self) -> bool:
        """A kept keyframe spares it work."""
        return self.engine != "eager"

    def job(self, points0: Points, points1: Points) -> Job:
        """Prepares both images, then matches."""

        def match() -> Answer:
            image0, image1 = self._engine.prepare([points0, points1])
            (out,) = self._engine.match([(image0, image1)], self._adaptivity, FILTER_THRESHOLD)
            return _answer(out, len(points0) + len(points1))

        return match

    def job_with_keyframe(self, keyframe: Points, points1: Points) -> Job:
        """Prepares image 1, then matches it with the keyframe, which was prepared before."""
        (kept,) = self._engine.prepare([keyframe])

        def match() -> Answer:
            (image1,) = self._engine.prepare([points1])
            (out,) = self._engine.match([(kept, image1)], self._adaptivity, FILTER_THRESHOLD)
            return _answer(out, len(keyframe) + len(points1))

        return match

    def warm_up(self, count: int, network: LightGlue, device: torch.device) -> None:
        """Does what the engine's users do at the start."""
        self._engine.warm_up([count])


def own(name: str, network: LightGlue, device: torch.device, adaptivity: Adaptivity = FULL) -> Own:
    """Builds an engine by its name in `ENGINES`.

    Raises:
        ConfigurationError: no such engine, or not on this device.
    """
    if name in _SCHEMES:
        scheme, of_scheme = _SCHEMES[name]
        if device.type != "cuda" or scheme not in schemes(device):
            raise ConfigurationError(f"engine {name!r} on {device}, wanted one of {', '.join(default_engines(device))}")
        return Own(name, CudaEngine(network.to(device), of_scheme, scheme=scheme), adaptivity)
    if name not in _KINDS:
        raise ConfigurationError(f"engine {name!r}, wanted one of {', '.join(ENGINES)}")
    kind, precision = _KINDS[name]
    return Own(name, create_engine(network, device, kind, precision), adaptivity)


def default_engines(device: torch.device) -> list[str]:
    """Returns the names of the engines that make sense on a device."""
    if device.type == "cuda":
        return [EAGER, COMPILED_FP32, *(f"{scheme}-{Precision.BF16.value}" for scheme in schemes(device))]
    return [EAGER, COMPILED_FP32] + ([COMPILED_BF16] if cpu_multiplies_bf16() else [])


def agreement(answer: Answer, reference: Answer) -> float | None:
    """Returns which part of the reference's matches an answer has; None where the reference has none."""
    wanted = _pairs(reference)
    return len(_pairs(answer) & wanted) / len(wanted) if wanted else None


def _pairs(answer: Answer) -> set[tuple[int, int]]:
    columns: Sequence[list[int]] = [answer.indices0.tolist(), answer.indices1.tolist()]
    return set(zip(*columns, strict=True))


def _answer(out: NetworkOutput, total: int) -> Answer:
    return Answer(out.indices0, out.indices1, out.stop_layer, out.num_kept / total if total else 1.0)
