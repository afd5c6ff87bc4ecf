# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The engine's programs, uncaptured on the CPU in float32, against the reference network."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.engine.cuda import Buckets, CudaEngine, Scheme
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import Adaptivity, Architecture, LightGlue, Points

BUCKETS = Buckets((8, 16, 32, 64))
STEPPED = [Scheme.CONDITIONAL, Scheme.AHEAD]
EDGES = [1, 2, *(edge + step for edge in BUCKETS.capacities for step in (-1, 0, 1))]
NETWORKS = {
    "random": random_network,
    "scales": functools.partial(random_network, ENCODES_SCALE),
    "bundled": bundled_network,
}


@functools.cache
def engine_of(name: str, scheme: Scheme = Scheme.CONDITIONAL) -> CudaEngine:
    engine = CudaEngine(NETWORKS[name](), Precision.FP32, BUCKETS, scheme=scheme)
    engine.warm_up([BUCKETS.largest])
    return engine


def network_of(engine: CudaEngine) -> LightGlue:
    return engine._network


def assert_equals_reference(engine, counts, adaptivity, seed=0, threshold=0.01):
    """Each pair of counts alone; returns the outputs."""
    network, outputs = network_of(engine), []
    for count0, count1 in counts:
        pair = pair_of(network, count0, count1, seed)
        (out,) = run(engine, [pair], adaptivity, threshold)
        assert_same(out, network(*pair, adaptivity, threshold))
        outputs.append(out)
    return outputs


@pytest.mark.parametrize("scheme", STEPPED)
@pytest.mark.parametrize("adaptivity", ADAPTIVITIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_reference_at_every_bucket_edge(name, adaptivity, scheme):
    engine = engine_of(name, scheme)
    counts = [(edge, edge) for edge in EDGES] + [(edge, 5) for edge in EDGES] + [(3, edge) for edge in EDGES]
    assert_equals_reference(engine, counts, ADAPTIVITIES[adaptivity])


@pytest.mark.parametrize("scheme", STEPPED)
def test_cases_really_match_stop_prune_and_narrow(scheme):
    """The comparison above means something only where the networks do something."""
    stops, pruned, narrowed, matches = set(), 0, 0, 0
    for seed in range(6):
        for name in ADAPTIVITIES:
            (out,) = assert_equals_reference(engine_of("random", scheme), [(60, 50)], ADAPTIVITIES[name], seed)
            stops.add(out.stop_layer)
            pruned += out.num_kept < 110
            narrowed += max((out.layers0 == out.stop_layer).sum(), (out.layers1 == out.stop_layer).sum()) <= 32
            matches += len(out.indices0) > 5
    assert len(stops) >= 3
    assert min(pruned, narrowed, matches) >= 6


@settings(max_examples=60, deadline=None)
@given(
    count0=st.integers(0, 70),
    count1=st.integers(0, 70),
    seed=st.integers(0, 50),
    depth=st.sampled_from([-1, 0.5, 0.9, 0.95, 0.99]),
    width=st.sampled_from([-1, 0.5, 0.7, 0.9, 0.99]),
    min_points=st.sampled_from([0, 10, 40]),
    scheme=st.sampled_from(STEPPED),
)
def test_equals_reference_for_any_counts_and_settings(count0, count1, seed, depth, width, min_points, scheme):
    adaptivity = Adaptivity(depth, width, min_points)
    assert_equals_reference(engine_of("random", scheme), [(count0, count1)], adaptivity, seed)


@pytest.mark.parametrize("counts", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 64), (64, 1)])
def test_no_points_and_one_point(counts):
    for adaptivity in ADAPTIVITIES.values():
        assert_equals_reference(engine_of("random"), [counts], adaptivity)


@pytest.mark.parametrize("scheme", STEPPED)
@pytest.mark.parametrize("counts", [(65, 65), (100, 3), (65, 0)])
def test_above_the_last_bucket_nothing_is_captured(counts, scheme):
    engine = engine_of("random", scheme)
    captures = engine.compilations
    assert_equals_reference(engine, [counts], ADAPTIVITIES["both"])
    assert engine.compilations == captures


@pytest.mark.parametrize("scheme", STEPPED)
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 40)), min_size=0, max_size=9),
    st.sampled_from(sorted(ADAPTIVITIES)),
)
def test_batches_give_what_pairs_alone_give(scheme, counts, adaptivity):
    engine = engine_of("random", scheme)
    network, settings_ = network_of(engine), ADAPTIVITIES[adaptivity]
    pairs = [pair_of(network, *pair, seed=p) for p, pair in enumerate(counts)]
    for out, pair in zip(run(engine, pairs, settings_), pairs, strict=True):
        assert_same(out, network(*pair, settings_, 0.01))


@pytest.mark.parametrize("scheme", STEPPED)
def test_pair_that_ends_early_keeps_its_points_while_a_smaller_one_runs(scheme):
    """Both share a launch; the smaller one's layers run on rows that the larger one would not fit in."""
    engine = CudaEngine(random_network(), Precision.FP32, Buckets((16, 64)), (2,), scheme)
    network, adaptivity = network_of(engine), Adaptivity(0.7, 0.8)
    pairs = [pair_of(network, 60, 50), pair_of(network, 17, 3, seed=43)]
    outputs = run(engine, pairs, adaptivity)
    references = [network(*pair, adaptivity, 0.01) for pair in pairs]
    assert references[0].stop_layer + 2 <= references[1].stop_layer
    assert references[0].indices0.max() > 32
    for out, reference in zip(outputs, references):
        assert_same(out, reference)


def heads_that_say(confidence: float, matchability: float) -> LightGlue:
    network = random_network()
    for head in network.token_confidence:
        head.token[0].weight.zero_()
        head.token[0].bias.fill_(confidence)
    for head in network.log_assignment.values():
        head.matchability.weight.zero_()
        head.matchability.bias.fill_(matchability)
    return network


@pytest.mark.parametrize("scheme", STEPPED)
def test_emptied_image_ends_the_pair(scheme):
    engine = CudaEngine(heads_that_say(20, -20), Precision.FP32, BUCKETS, scheme=scheme)
    (out,) = assert_equals_reference(engine, [(20, 9)], Adaptivity(-1, 0.99))
    assert (out.stop_layer, out.num_kept, len(out.indices0)) == (1, 0, 0)
    (out,) = assert_equals_reference(engine, [(20, 9)], Adaptivity(-1, 0.99, min_points=9))
    assert (out.stop_layer, out.num_kept) == (1, 9)


def test_stop_comes_before_pruning():
    engine = CudaEngine(heads_that_say(20, -20), Precision.FP32, BUCKETS)
    (out,) = assert_equals_reference(engine, [(20, 9)], Adaptivity(0.95, 0.99))
    assert (out.stop_layer, out.num_kept) == (1, 29)


def test_weights_without_adaptive_heads():
    architecture = Architecture(input_dim=24, descriptor_dim=32, num_heads=2, n_layers=3, adaptive=False)
    engine = CudaEngine(random_network(architecture), Precision.FP32, BUCKETS)
    assert_equals_reference(engine, [(20, 9)], ADAPTIVITIES["full"])
    with pytest.raises(ConfigurationError, match="heads"):
        run(engine, [pair_of(network_of(engine), 3, 3)], Adaptivity())


def test_one_layer():
    engine = CudaEngine(random_network(Architecture(16, 32, 2, 1)), Precision.FP32, BUCKETS, scheme=Scheme.AHEAD)
    assert_equals_reference(engine, [(20, 9)], ADAPTIVITIES["both"])


def test_missing_scales_are_named():
    engine = engine_of("scales")
    points, _ = pair_of(network_of(engine), 4, 4)
    with pytest.raises(ConfigurationError, match="without scale and orientation"):
        engine.prepare([Points(points.keypoints, points.descriptors, points.size)])


def test_prepared_image_serves_again_unchanged():
    engine = engine_of("random")
    network = network_of(engine)
    keyframe, current = pair_of(network, 30, 12)
    other = pair_of(network, 60, 40, seed=5)[1]
    (prepared,) = engine.prepare([keyframe])
    x = prepared.x.clone()
    for image in (other, current, other):
        (out,) = engine.match([(prepared, *engine.prepare([image]))], ADAPTIVITIES["narrow"], 0.01)
        assert_same(out, network(keyframe, image, ADAPTIVITIES["narrow"], 0.01))
    assert torch.equal(prepared.x, x)
    assert len(prepared) == 30
    assert prepared.nbytes == 32 * 4 * (SMALL.descriptor_dim + 2 * SMALL.head_dim)


def test_nothing_is_captured_after_warm_up():
    engine = CudaEngine(random_network(), Precision.FP32, BUCKETS, batches=(1, 2))
    engine.warm_up([3, 64])
    captures = engine.compilations
    assert captures == len(BUCKETS.capacities) * (1 + 2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        counts = torch.randint(0, 80, (2, 2), generator=generator).tolist()
        run(engine, [pair_of(network_of(engine), *pair) for pair in counts], ADAPTIVITIES["both"])
    assert engine.compilations == captures


@pytest.mark.parametrize("count", [1, 40, 64])
def test_bfloat16_stays_near(count):
    network = bundled_network()
    engine = CudaEngine(network, Precision.BF16, BUCKETS, batches=(1,))
    pair = pair_of(network, count, count)
    (out,) = run(engine, [pair], ADAPTIVITIES["full"], 0.1)
    reference = network(*pair, ADAPTIVITIES["full"], 0.1)
    ours, wanted = (set(zip(o.indices0.tolist(), o.indices1.tolist())) for o in (out, reference))
    assert len(ours & wanted) >= 0.9 * len(ours | wanted)


@pytest.mark.parametrize("counts", [[(30, 20), (60, 3)], [(30, 0), (70, 70)]])
def test_two_matches_may_be_under_way(counts):
    engine = engine_of("random")
    network, settings_ = network_of(engine), ADAPTIVITIES["both"]
    pairs = [pair_of(network, *pair, seed=p) for p, pair in enumerate(counts)]
    waits = [engine.start([tuple(engine.prepare(pair))], settings_, 0.01) for pair in pairs]
    for wait, pair in reversed(list(zip(waits, pairs))):
        assert_same(wait()[0], network(*pair, settings_, 0.01))
