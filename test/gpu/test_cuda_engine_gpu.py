# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The captured engine on a CUDA device against the reference network on the same device."""

import copy
import functools
import multiprocessing

import pytest
import torch
from lightglue_cases import ADAPTIVITIES, assert_same, bundled_network, pair_of, random_network, run
from torch.profiler import ProfilerActivity, profile

from lightmatch_ros.core.engine import Precision
from lightmatch_ros.core.engine.cuda import Buckets, CudaEngine, Scheme
from lightmatch_ros.core.engine.cuda.graphs import replay_s
from lightmatch_ros.core.engine.cuda.schemes import schemes
from lightmatch_ros.core.lightglue import Adaptivity, Architecture

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

OFFICIAL = Architecture()
BUCKETS = Buckets((256, 512, 1024, 2048))
EDGES = [1, 2, *(edge + step for edge in BUCKETS.capacities for step in (-1, 0, 1))]
WAITS = ("cudaEventSynchronize", "cudaStreamSynchronize", "cudaDeviceSynchronize")


@functools.cache
def engine_of(name: str, precision: Precision, scheme: Scheme) -> CudaEngine:
    if scheme not in schemes(torch.device("cuda")):
        pytest.skip(f"{scheme} cannot run with this torch")
    network = copy.deepcopy(bundled_network()) if name == "bundled" else random_network(OFFICIAL)
    engine = CudaEngine(network.to("cuda"), precision, BUCKETS, scheme=scheme)
    engine.warm_up([BUCKETS.largest])
    return engine


def pairs_of(engine: CudaEngine, *counts: tuple[int, int]) -> list:
    return [pair_of(engine._network, *pair, seed=p, device="cuda") for p, pair in enumerate(counts)]


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("adaptivity", ADAPTIVITIES)
@pytest.mark.parametrize("name", ["random", "bundled"])
def test_equals_reference_at_every_bucket_edge(name, adaptivity, scheme):
    engine = engine_of(name, Precision.FP32, scheme)
    for edge in EDGES:
        for pair in pairs_of(engine, (edge, edge), (edge, 5), (3, edge)):
            (out,) = run(engine, [pair], ADAPTIVITIES[adaptivity])
            assert_same(out, engine._network(*pair, ADAPTIVITIES[adaptivity], 0.01))


@pytest.mark.parametrize("scheme", Scheme)
def test_batches_give_what_pairs_alone_give(scheme):
    engine = engine_of("random", Precision.FP32, scheme)
    pairs = pairs_of(engine, (300, 200), (0, 4), (500, 512), (90, 17), (2000, 1), (400, 400), (256, 256), (1, 1))
    for adaptivity in ADAPTIVITIES.values():
        for out, pair in zip(run(engine, pairs, adaptivity), pairs, strict=True):
            assert_same(out, engine._network(*pair, adaptivity, 0.01))


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("count", [1, 60, 256, 700, 2048])
def test_bfloat16_stays_near(count, scheme):
    engine = engine_of("bundled", Precision.BF16, scheme)
    (pair,) = pairs_of(engine, (count, count))
    (out,) = run(engine, [pair], ADAPTIVITIES["full"], 0.1)
    reference = engine._network(*pair, ADAPTIVITIES["full"], 0.1)
    ours, wanted = (set(zip(o.indices0.tolist(), o.indices1.tolist())) for o in (out, reference))
    assert len(ours & wanted) >= 0.9 * len(ours | wanted)


@pytest.mark.parametrize("scheme", Scheme)
def test_ten_thousand_shapes_capture_nothing_and_hold_no_memory(scheme):
    engine = engine_of("bundled", Precision.BF16, scheme)
    generator = torch.Generator().manual_seed(0)
    image0, image1 = pairs_of(engine, (2048, 2048))[0]

    def match_some(number: int) -> None:
        for count0, count1 in torch.randint(1, 2049, (number, 2), generator=generator).tolist():
            run(engine, [(_first(image0, count0), _first(image1, count1))], ADAPTIVITIES["both"])

    match_some(500)
    torch.cuda.synchronize()
    captures, allocated, reserved = engine.compilations, torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    match_some(10_000)
    torch.cuda.synchronize()
    assert engine.compilations == captures
    assert torch.cuda.memory_allocated() <= allocated
    assert torch.cuda.memory_reserved() <= reserved


def _first(points, count):
    columns = (points.keypoints, points.descriptors, points.scales, points.orientations)
    keypoints, descriptors, scales, orientations = (column[:count] for column in columns)
    return type(points)(keypoints, descriptors, points.size, scales, orientations)


@pytest.mark.parametrize("scheme", [Scheme.FUSED, Scheme.CONDITIONAL])
def test_one_wait_for_each_pair(scheme):
    engine = engine_of("bundled", Precision.BF16, scheme)
    prepared = [tuple(engine.prepare(pair)) for pair in pairs_of(engine, (1000, 900), (500, 2000))]
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(10):
            for pair in prepared:
                engine.match([pair], Adaptivity(), 0.1)
    waits = [event.name for event in profiled.events() if event.name in WAITS]
    assert waits.count("cudaEventSynchronize") <= 20
    assert len(waits) <= 20 + 1, "the profiler's own end waits once"


@pytest.mark.parametrize("scheme", Scheme)
def test_no_operation_waits_in_secret(scheme):
    engine = engine_of("bundled", Precision.BF16, scheme)
    pair = pairs_of(engine, (1000, 900))[0]
    torch.cuda.set_sync_debug_mode("error")
    try:
        run(engine, [pair], Adaptivity())
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("scheme", Scheme)
def test_results_are_not_overwritten_by_later_ones(scheme):
    engine = engine_of("random", Precision.FP32, scheme)
    pairs = pairs_of(engine, (300, 200), (280, 290), (256, 300))
    alone = [run(engine, [pair], ADAPTIVITIES["both"])[0] for pair in pairs]
    for _ in range(5):
        run(engine, pairs, ADAPTIVITIES["narrow"])
    for out, pair in zip(alone, pairs):
        assert_same(out, engine._network(*pair, ADAPTIVITIES["both"], 0.01))


@pytest.mark.parametrize("scheme", Scheme)
def test_another_stream_gives_the_same(scheme):
    engine = engine_of("random", Precision.FP32, scheme)
    pair = pairs_of(engine, (300, 200))[0]
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        (out,) = run(engine, [pair], ADAPTIVITIES["both"])
    assert_same(out, engine._network(*pair, ADAPTIVITIES["both"], 0.01))


def match_in_a_process(_: int) -> int:
    engine = CudaEngine(random_network(OFFICIAL).to("cuda"), Precision.BF16, Buckets((256, 512)), batches=(1,))
    engine.warm_up([512])
    for _ in range(100):
        outputs = run(engine, pairs_of(engine, (400, 300)), Adaptivity())
    return outputs[0].stop_layer


def test_two_processes_share_the_device():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        stops = pool.map_async(match_in_a_process, range(2)).get(timeout=300)
    assert stops[0] == stops[1]


def test_chosen_tiles_give_the_same():
    if Scheme.FUSED not in schemes(torch.device("cuda")):
        pytest.skip("Triton is not installed")
    network = random_network(OFFICIAL).to("cuda")
    engine = CudaEngine(network, Precision.FP32, Buckets((512,)), (1,), Scheme.FUSED, replay_s)
    engine.warm_up([512])
    for pair in pairs_of(engine, (500, 400), (512, 3)):
        (out,) = run(engine, [pair], ADAPTIVITIES["both"])
        assert_same(out, network(*pair, ADAPTIVITIES["both"], 0.01))
