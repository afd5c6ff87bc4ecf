# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Tries a scheme on the device before it is trusted."""

from __future__ import annotations

import logging

import torch

from lightmatch_ros.core.engine.cuda.buckets import Buckets
from lightmatch_ros.core.engine.cuda.engine import CudaEngine
from lightmatch_ros.core.engine.cuda.errors import device_errors
from lightmatch_ros.core.engine.cuda.schemes import Scheme, schemes
from lightmatch_ros.core.engine.interface import Precision
from lightmatch_ros.core.engine.random_points import random_points
from lightmatch_ros.core.errors import DeviceLostError
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue, NetworkOutput
from lightmatch_ros.core.lightglue.adaptive import FULL

log = logging.getLogger(__name__)

# Points of the images that are matched, and what share of the matches and of the points may differ in half precision.
_COUNT = 256
_TOLERANCE = 0.1
_PRUNING = Adaptivity(depth_confidence=-1, width_confidence=0.95)


class DisagreementError(Exception):
    """A scheme that does not give what the reference network gives."""


def working_scheme(network: LightGlue, precision: Precision) -> Scheme:
    """Returns the best scheme that runs on the network's device and agrees with the reference network.

    Triton compiles at the first start, with the machine's C compiler, and the fused kernels have not run on every
    device: where they fail, matching goes on in torch's kernels, with a warning.

    Raises:
        DeviceLostError: the device no longer answers.
    """
    device = next(network.parameters()).device
    first, *others = schemes(device)
    if first is Scheme.FUSED:
        try:
            try_scheme(network, precision, first)
        except DeviceLostError:
            raise
        except Exception as error:  # Triton and the tools that it calls raise errors of many types
            log.warning("matching runs on torch's kernels, the fused ones fail here: %s", error)
            with device_errors("trying the fused kernels"):
                if device.type == "cuda":
                    torch.cuda.synchronize(device)  # sync: does it still answer? before the first match
            return others[0]
    return first


@torch.inference_mode()
def try_scheme(network: LightGlue, precision: Precision, scheme: Scheme) -> None:
    """Matches an image with itself, with and without pruning.

    Raises:
        DisagreementError: matches or kept points differ from the reference network's.
    """
    image = random_points(network.architecture, _COUNT, next(network.parameters()).device)
    engine = CudaEngine(network, precision, Buckets((_COUNT,)), (1,), scheme)
    prepared = engine.prepare([image, image])
    for adaptivity in (FULL, _PRUNING) if network.architecture.adaptive else (FULL,):
        (ours,) = engine.match([(prepared[0], prepared[1])], adaptivity, 0.0)
        reference = network(image, image, adaptivity, 0.0)
        found, wanted = _matches(ours), _matches(reference)
        if len(found & wanted) < (1 - _TOLERANCE) * len(found | wanted):
            raise DisagreementError(
                f"{len(found)} matches of {_COUNT} points, wanted {len(wanted)}, of which {len(found & wanted)} found"
            )
        if abs(ours.num_kept - reference.num_kept) > _TOLERANCE * 2 * _COUNT:
            raise DisagreementError(f"{ours.num_kept} of {2 * _COUNT} points kept, wanted {reference.num_kept}")


def _matches(output: NetworkOutput) -> set[tuple[int, int]]:
    return set(zip(output.indices0.tolist(), output.indices1.tolist(), strict=True))
