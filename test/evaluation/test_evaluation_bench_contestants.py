# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""All contestants match the same points with the same weights: their answers are the same."""

import sys

import numpy as np
import pytest
import torch

from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import Architecture
from lightmatch_ros.evaluation.bench import adaptive, peers, speed
from lightmatch_ros.evaluation.bench.contestants import Answer, agreement, default_engines, own
from lightmatch_ros.evaluation.bench.records import ADAPTIVE, BOTH, FULL_DEPTH, KEYFRAME, Part
from lightmatch_ros.evaluation.bench.workload import random_network, random_pair

CPU = torch.device("cpu")
SMALL = Architecture(descriptor_dim=64, num_heads=2, input_dim=32, n_layers=2)


def answer(*pairs):
    return Answer(*torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T, stop_layer=2)


def test_agreement():
    assert agreement(answer((0, 1), (2, 3), (4, 4)), answer((0, 1), (2, 4))) == 0.5
    assert agreement(answer(), answer((1, 1))) == 0
    assert agreement(answer((1, 1)), answer()) is None


@pytest.mark.parametrize("counts", [(48, 48), (64, 30), (30, 64)])
def test_points_seen_again_are_found_again(counts):
    pair = random_pair(SMALL, counts, CPU)
    assert [len(points) for points in pair] == list(counts)
    found = own("eager", random_network(SMALL), CPU).job(*pair)()
    same = (pair[0].descriptors[found.indices0] * pair[1].descriptors[found.indices1]).sum(-1)
    assert len(found.indices0) >= 0.3 * min(counts)
    assert (same > 0.9).float().mean() > 0.9


@pytest.mark.parametrize("name", [*default_engines(CPU), "kornia", "transformers"])
def test_all_give_the_same_answer(name):
    if name == "transformers":
        pytest.importorskip("transformers")
    network = random_network(SMALL)
    pair = random_pair(SMALL, (48, 40), CPU)
    reference = own("eager", network, CPU).job(*pair)()
    build = peers.build_peer if name in peers.PEERS else lambda name, network, device, _: own(name, network, device)
    contestant = build(name, network, CPU, [48])
    found = contestant.job(*pair)()
    assert agreement(found, reference) >= (0.9 if name.endswith("bf16") else 1.0)
    assert len(found.indices0) <= 1.1 * len(reference.indices0)
    assert found.stop_layer == 2 and found.kept_ratio == 1
    assert contestant.peer == (name in peers.PEERS)


def test_a_kept_keyframe_gives_the_same_answer():
    engine = own("compiled-fp32", random_network(SMALL), CPU)
    pair = random_pair(SMALL, (40, 33), CPU)
    assert agreement(engine.job_with_keyframe(*pair)(), engine.job(*pair)()) == 1


def test_what_is_unknown_is_an_error():
    with pytest.raises(ConfigurationError, match="'fast'"):
        own("fast", random_network(SMALL), CPU)
    with pytest.raises(ConfigurationError, match="'superglue'"):
        peers.build_peer("superglue", random_network(SMALL), CPU, [])


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    found = speed.assemble(random_network(SMALL), CPU, ["eager"], ["transformers", "kornia"], [32])
    assert [entry.contestant.name for entry in found.entries] == ["eager", "kornia"]
    assert len(found.left_out) == 1 and found.left_out[0].startswith("transformers is left out: ")


def test_speed_records():
    found = speed.assemble(random_network(SMALL), CPU, ["eager", "compiled-fp32"], ["kornia"], [32])
    records = speed.speed(found, 32, 3)
    assert [(r.name, r.variant) for r in records] == [
        ("eager", BOTH), ("compiled-fp32", BOTH), ("kornia", BOTH), ("compiled-fp32", KEYFRAME),
    ]  # fmt: skip
    for record in records:
        assert record.part is Part.SPEED and record.keypoints == 32 and record.stop_layer == 2
        assert record.statistics.repetitions == 3 and record.statistics.median_ms > 0
        assert record.agreement == 1
        assert set(record.speedup) == (set() if record.peer else {"kornia"}) | (
            {BOTH} if record.variant == KEYFRAME else set()
        )
    assert all(r.gemm_fraction > 0 and r.warm_up_s > 0 and r.build_s > 0 for r in records[:3])


def test_varying_records():
    found = speed.assemble(random_network(SMALL), CPU, ["eager", "compiled-fp32"], [], [40])
    records = speed.varying(found, 40, 5)
    assert [r.part for r in records] == [Part.VARYING] * 2
    assert all(r.statistics.repetitions == 5 and r.p99_ratio >= 1 and r.agreement == 1 for r in records)


def test_adaptive_records(monkeypatch, tmp_path):
    monkeypatch.setenv("LIGHTMATCH_CACHE", str(tmp_path))
    images = [np.ascontiguousarray(image[:240, :320]) for image in adaptive.load_images(None, 2)]
    full, less = adaptive.adaptive(images, 64, 1, CPU)
    assert (full.variant, less.variant) == (FULL_DEPTH, ADAPTIVE)
    assert full.statistics.repetitions == less.statistics.repetitions == 2
    assert less.stop_layer <= full.stop_layer == 5  # of the bundled weights
    assert full.agreement == 1 and full.matches > 10
    assert set(less.speedup) == {FULL_DEPTH}


def test_schemes_of_the_cuda_engine_are_for_cuda():
    with pytest.raises(ConfigurationError, match="'fused-bf16' on cpu, wanted one of eager"):
        own("fused-bf16", random_network(), CPU)
