# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The fused kernels in Triton's interpreter, on the CPU, against the reference network."""

import dataclasses
import functools

import pytest
import torch
from lightglue_cases import (
    ADAPTIVITIES,
    ENCODES_SCALE,
    SMALL,
    assert_same,
    bundled_network,
    pair_of,
    random_network,
    run,
)

from lightmatch_ros.core.engine import Precision, product
from lightmatch_ros.core.engine.cuda import Buckets, CudaEngine, Scheme, engine, trial
from lightmatch_ros.core.engine.cuda.fused import has_triton
from lightmatch_ros.core.engine.cuda.fused.tiles import candidates
from lightmatch_ros.core.engine.cuda.trial import DisagreementError, try_scheme, working_scheme
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue

pytestmark = [
    pytest.mark.skipif(not has_triton(), reason="Triton is not installed"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="with a CUDA device the kernels are compiled: see test/gpu"),
]

BUCKETS = Buckets((32, 64))
THREE_LAYERS = dataclasses.replace(SMALL, n_layers=3)
# One head of 48 channels: neither it nor the states are a power of 2.
ODD = Architecture(input_dim=20, descriptor_dim=48, num_heads=1, n_layers=2)
NETWORKS = {
    "random": functools.partial(random_network, THREE_LAYERS),
    "scales": functools.partial(random_network, ENCODES_SCALE),
    "odd": functools.partial(random_network, ODD),
}


@functools.cache
def engine_of(name: str) -> CudaEngine:
    return CudaEngine(NETWORKS[name](), Precision.FP32, BUCKETS, (1, 2), Scheme.FUSED)


def assert_equals_reference(runs, counts, adaptivity, seed=0):
    pairs = [pair_of(runs._network, *pair, seed=seed + p) for p, pair in enumerate(counts)]
    outputs = run(runs, pairs, adaptivity)
    for out, pair in zip(outputs, pairs):
        assert_same(out, runs._network(*pair, adaptivity, 0.01))
    return outputs


@pytest.mark.parametrize("adaptivity", ADAPTIVITIES)
@pytest.mark.parametrize("counts", [(64, 60), (33, 1)])
def test_equals_reference(counts, adaptivity):
    assert_equals_reference(engine_of("random"), [counts], ADAPTIVITIES[adaptivity])


@pytest.mark.parametrize("name", ["scales", "odd"])
@pytest.mark.parametrize("counts", [(32, 31), (1, 1)])
def test_equals_reference_for_other_architectures(name, counts):
    for adaptivity in ("full", "both", "narrow"):
        assert_equals_reference(engine_of(name), [counts], ADAPTIVITIES[adaptivity])


def test_points_are_pruned_over_several_chunks(monkeypatch):
    """Places move to the front of their list while later chunks are still to be read."""
    monkeypatch.setattr("lightmatch_ros.core.engine.cuda.fused.decisions.CHUNK", 16)
    runs = CudaEngine(random_network(THREE_LAYERS), Precision.FP32, BUCKETS, (1,), Scheme.FUSED)
    (out,) = assert_equals_reference(runs, [(64, 60)], ADAPTIVITIES["narrow"])
    assert out.num_kept < 100


def test_bundled_weights_equal_the_reference():
    """96 channels: two tiles of a product, the second half empty; three of the update's first."""
    runs = CudaEngine(bundled_network(), Precision.FP32, Buckets((32,)), (1,), Scheme.FUSED)
    (out,) = assert_equals_reference(runs, [(32, 30)], ADAPTIVITIES["both"])
    assert len(out.indices0) > 10


def test_pairs_of_a_batch_have_their_own_depth_and_width():
    counts = [(30, 25), (20, 32), (9, 4)]
    outputs = assert_equals_reference(engine_of("random"), counts, ADAPTIVITIES["narrow"], seed=3)
    assert len({(out.stop_layer, out.num_kept) for out in outputs}) == 3


def test_cases_really_stop_prune_and_match():
    """The comparisons above mean something only where the networks do something."""
    outputs = [
        assert_equals_reference(engine_of("random"), [(40, 30)], adaptivity, seed=1)[0]
        for adaptivity in (Adaptivity(0.5, -1), ADAPTIVITIES["narrow"])
    ]
    assert min(out.stop_layer for out in outputs) < 3
    assert min(out.num_kept for out in outputs) < 60
    assert all(len(out.indices0) > 5 for out in outputs)


def test_no_state_of_a_match_reaches_the_next():
    engine = engine_of("random")
    for counts, name in [((64, 60), "narrow"), ((5, 60), "full"), ((3, 2), "both")]:
        assert_equals_reference(engine, [counts], ADAPTIVITIES[name])


def test_above_the_last_bucket_nothing_is_captured(monkeypatch):
    monkeypatch.setattr(engine, "LARGE_STEP", 48)
    assert_equals_reference(engine_of("random"), [(70, 9)], ADAPTIVITIES["both"])


@pytest.mark.parametrize("matchability", [-20, 20])
def test_emptied_image_ends_the_pair(matchability):
    network = random_network(THREE_LAYERS)
    for head in network.token_confidence:
        head.token[0].weight.zero_()
        head.token[0].bias.fill_(20)
    for head in network.log_assignment.values():
        head.matchability.weight.zero_()
        head.matchability.bias.fill_(matchability)
    engine = CudaEngine(network, Precision.FP32, BUCKETS, (1,), Scheme.FUSED)
    (out,) = assert_equals_reference(engine, [(20, 9)], Adaptivity(-1, 0.99))
    assert (out.stop_layer, out.num_kept) == ((1, 0) if matchability < 0 else (3, 29))
    (out,) = assert_equals_reference(engine, [(20, 9)], Adaptivity(0.95, 0.99))
    assert (out.stop_layer, out.num_kept) == (1, 29), "the stop comes before pruning"


def test_weights_without_adaptive_heads():
    architecture = Architecture(input_dim=24, descriptor_dim=32, num_heads=2, n_layers=2, adaptive=False)
    engine = CudaEngine(random_network(architecture), Precision.FP32, BUCKETS, (1,), Scheme.FUSED)
    assert_equals_reference(engine, [(20, 9)], ADAPTIVITIES["full"])


def test_half_precision_stays_near(monkeypatch):
    """In float16: Triton's interpreter multiplies the bits of bfloat16."""
    monkeypatch.setitem(product.DTYPE, Precision.BF16, torch.float16)
    network = bundled_network()
    engine = CudaEngine(network, Precision.BF16, BUCKETS, (1,), Scheme.FUSED)
    pair = pair_of(network, 32, 30)
    (out,) = run(engine, [pair], ADAPTIVITIES["full"], 0.1)
    reference = network(*pair, ADAPTIVITIES["full"], 0.1)
    ours, wanted = (set(zip(o.indices0.tolist(), o.indices1.tolist())) for o in (out, reference))
    assert len(ours & wanted) >= 0.9 * len(ours | wanted)


class Launches:
    """Stands in for a kernel and counts its launches."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def __getitem__(self, grid):
        return lambda *_, **__: self.log.append(self.name)


@pytest.mark.parametrize(("adaptive", "count"), [(False, 73), (True, 89)])
def test_official_network_takes_few_kernels(adaptive, count, monkeypatch):
    from lightmatch_ros.core.engine.cuda.fused import assignment_kernels, block_kernels, decision_kernels
    from lightmatch_ros.core.engine.cuda.fused.program import FusedLayers, FusedProgram

    log: list[str] = []
    launched = {
        block_kernels: ("project", "attend", "widen", "narrow"),
        decision_kernels: ("begin", "judge", "decide"),
        assignment_kernels: ("describe", "normalise", "best", "answer"),
    }
    for module, names in launched.items():
        for name in names:
            monkeypatch.setattr(module, name, Launches(log, name))
    network = LightGlue(Architecture()).requires_grad_(False)
    layers = FusedLayers(fold(network), network.architecture, torch.bfloat16)
    FusedProgram(layers, 1, 64, torch.device("cpu")).run(adaptive)
    assert len(log) == count
    assert log[0] == "begin" and log[-1] == "answer"


def test_captures_are_counted():
    engine = CudaEngine(random_network(), Precision.FP32, BUCKETS, (1,), Scheme.FUSED)
    run(engine, [pair_of(engine._network, 3, 3)], Adaptivity())
    assert engine.compilations == 1 + 2, "a preparation, a match with decisions and one without"


def test_the_fastest_tiles_are_chosen():
    times = dict(zip(candidates(torch.float32), [2.0, 1.0]))
    left = list(times.values())
    runs = CudaEngine(random_network(ODD), Precision.FP32, BUCKETS, (1,), Scheme.FUSED, lambda _: left.pop(0))
    assert_equals_reference(runs, [(30, 20)], ADAPTIVITIES["full"])
    (matcher,) = runs._matchers.values()
    assert matcher._ports._tiles == min(times, key=times.__getitem__)
    assert_equals_reference(runs, [(70, 9)], ADAPTIVITIES["full"])  # above the last bucket nothing is measured


def test_trial_passes_where_the_kernels_are_right_and_fails_where_not(monkeypatch):
    monkeypatch.setattr(trial, "_COUNT", 32)
    network = random_network(ODD)
    try_scheme(network, Precision.FP32, Scheme.FUSED)
    monkeypatch.setattr("lightmatch_ros.core.engine.cuda.fused.blocks.NORM_EPSILON", 100.0)
    with pytest.raises(DisagreementError, match="wanted"):
        try_scheme(network, Precision.FP32, Scheme.FUSED)


def test_torch_takes_over_where_the_fused_kernels_fail(monkeypatch, caplog):
    network = random_network(ODD)
    monkeypatch.setattr(trial, "_COUNT", 32)
    monkeypatch.setattr(trial, "schemes", lambda _: list(Scheme))
    assert working_scheme(network, Precision.FP32) is Scheme.FUSED
    assert not caplog.records

    def no_compiler(*_):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(trial, "try_scheme", no_compiler)
    assert working_scheme(network, Precision.FP32) is Scheme.CONDITIONAL
    assert "Failed to find C compiler" in caplog.text
