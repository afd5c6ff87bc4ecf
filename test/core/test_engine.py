# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Engines against the reference network: the same matches, scores and decisions for any counts, alone and together."""

import functools
import itertools
import subprocess

import engine_scenes as scenes
import lightglue_cases
import pytest
import torch
from lightglue_cases import assert_same

from lightmatch_ros.core.engine import Precision, create_engine
from lightmatch_ros.core.engine.cpu import CpuEngine
from lightmatch_ros.core.engine.eager import EagerEngine
from lightmatch_ros.core.engine.kernels import QUERY_BLOCK, TorchKernels
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.core.lightglue import Adaptivity, Architecture

CPU = torch.device("cpu")
run = functools.partial(lightglue_cases.run, threshold=0.1)
FULL, BOTH = Adaptivity(-1, -1), Adaptivity(0.95, 0.99)
ADAPTIVITIES = {"full": FULL, "depth": Adaptivity(0.95, -1), "width": Adaptivity(-1, 0.99), "both": BOTH}
# Counts at and beside the edges of what engines work in: 6 queries, 16 lanes, 64 keys, 256 queries.
EDGES = [0, 1, 2, 5, 6, 7, 15, 17, 63, 64, 65, QUERY_BLOCK - 1, QUERY_BLOCK, QUERY_BLOCK + 1]


def engines(network) -> dict:
    return {
        "torch": CpuEngine(network, Precision.FP32, TorchKernels()),
        "default": create_engine(network, CPU, "compiled", Precision.FP32),
    }


@pytest.mark.parametrize("name", scenes.ARCHITECTURES)
def test_equals_the_reference(name):
    architecture = scenes.ARCHITECTURES[name]
    network = scenes.sharp_network(architecture)
    first = scenes.points(architecture, 300, 1)
    pair = first, scenes.seen_again(first, 211, 2)
    for adaptivity in ADAPTIVITIES.values():
        wanted = network(*pair, adaptivity)
        for engine in engines(network).values():
            assert_same(run(engine, [pair], adaptivity)[0], wanted)


def test_the_scenes_stop_prune_and_match():
    stopped = pruned = matched = 0
    for name in ("superpoint", "disk", "lighterglue", "odd heads"):
        architecture = scenes.ARCHITECTURES[name]
        network = scenes.sharp_network(architecture)
        first = scenes.points(architecture, 300, 1)
        out = network(first, scenes.seen_again(first, 211, 2), BOTH)
        stopped += out.stop_layer < architecture.n_layers
        pruned += out.num_kept < len(first) + 211
        matched += len(out.scores) > 20
    assert min(stopped, pruned, matched) >= 2


@pytest.mark.parametrize("count0", EDGES)
def test_equals_the_reference_at_every_edge(count0):
    architecture = Architecture(64, 64, 2, 3, True)
    network = scenes.sharp_network(architecture, 3)
    for count1 in EDGES:
        first = scenes.points(architecture, count0, count0)
        pair = first, scenes.seen_again(first, count1, count1)
        for adaptivity, engine in itertools.product((FULL, BOTH), engines(network).values()):
            assert_same(run(engine, [pair], adaptivity)[0], network(*pair, adaptivity))


def test_thousands_of_points():
    architecture = Architecture(64, 64, 1, 2)
    network = scenes.sharp_network(architecture, 5)
    first = scenes.points(architecture, 5000, 1)
    pair = first, scenes.seen_again(first, 4001, 2)
    for engine in engines(network).values():
        assert_same(run(engine, [pair], FULL)[0], network(*pair, FULL))


def test_together_is_as_alone():
    architecture = scenes.ARCHITECTURES["superpoint"]
    network = scenes.sharp_network(architecture)
    counts = [(120, 80), (0, 7), (64, 64), (1, 1), (33, 250), (5, 0), (200, 199)]
    pairs = []
    for seed, (count0, count1) in enumerate(counts):
        first = scenes.points(architecture, count0, seed)
        pairs.append((first, scenes.seen_again(first, count1, seed + 50)))
    for engine in [*engines(network).values(), EagerEngine(network)]:
        together = run(engine, pairs, BOTH)
        for pair, got in zip(pairs, together, strict=True):
            assert_same(got, network(*pair, BOTH))
    assert len({out.stop_layer for out in together}) > 2, "pairs of this test must stop at different layers"
    assert engine.match([], BOTH, 0.1) == [] and engine.prepare([]) == []


def test_small_images_are_not_pruned():
    architecture = scenes.ARCHITECTURES["superpoint"]
    network = scenes.sharp_network(architecture)
    first = scenes.points(architecture, 90, 1)
    pair = first, scenes.seen_again(first, 120, 2)
    adaptivity = Adaptivity(-1, 0.99, min_points=100)
    wanted = network(*pair, adaptivity)
    assert len(set(wanted.layers0.tolist())) == 1 and len(set(wanted.layers1.tolist())) > 1
    for engine in engines(network).values():
        assert_same(run(engine, [pair], adaptivity)[0], wanted)


def test_a_prepared_image_serves_many_matches():
    architecture = scenes.ARCHITECTURES["bundled"]
    network = scenes.sharp_network(architecture)
    keyframe = scenes.points(architecture, 100, 1)
    for engine in engines(network).values():
        (kept,) = engine.prepare([keyframe])
        assert len(kept) == 100 and kept.nbytes >= 100 * 96 * 4
        for seed in (2, 3):
            frame = scenes.seen_again(keyframe, 90, seed)
            (prepared,) = engine.prepare([frame])
            assert_same(engine.match([(kept, prepared)], BOTH, 0.1)[0], network(keyframe, frame, BOTH))


def test_another_engine_s_image_is_refused():
    network = scenes.sharp_network(scenes.ARCHITECTURES["one layer"])
    (image,) = EagerEngine(network).prepare([scenes.points(network.architecture, 3, 1)])
    with pytest.raises(TypeError, match="EagerPrepared, wanted CpuPrepared"):
        create_engine(network, CPU).match([(image, image)], FULL, 0.1)


def test_adaptivity_without_heads_is_an_error():
    network = scenes.sharp_network(Architecture(64, 64, 2, 2, adaptive=False))
    for engine in engines(network).values():
        image = scenes.points(network.architecture, 3, 1)
        with pytest.raises(ConfigurationError, match="no heads"):
            run(engine, [(image, image)], BOTH)
        assert run(engine, [(image, image)], FULL)[0].stop_layer == 2


def test_missing_scales_are_an_error():
    network = scenes.sharp_network(scenes.ARCHITECTURES["sift"])
    image = scenes.points(network.architecture, 3, 1)
    bare = type(image)(image.keypoints, image.descriptors, image.size)
    with pytest.raises(ConfigurationError, match="without scale and orientation"):
        create_engine(network, CPU).prepare([bare])


def test_nothing_is_compiled_after_the_warm_up(monkeypatch):
    network = scenes.sharp_network(scenes.ARCHITECTURES["lighterglue"])
    engine = create_engine(network, CPU)
    assert engine.warm_up([64]) > 0
    compiled = engine.compilations

    def refuse(*args, **kwargs):
        raise AssertionError("compiled again")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(torch, "compile", refuse)
    for seed, count in enumerate([1, 3, 17, 64, 99, 130]):
        first = scenes.points(network.architecture, count, seed)
        run(engine, [(first, scenes.seen_again(first, count + 1, seed))], BOTH)
    assert engine.compilations == compiled
