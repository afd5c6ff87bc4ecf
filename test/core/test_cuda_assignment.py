# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightglue_cases import SMALL, random_network

from lightmatch_ros.core.engine.cuda import assignment
from lightmatch_ros.core.engine.cuda.assignment import Heads, assign
from lightmatch_ros.core.engine.cuda.state import State, read_answer, write_request
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.lightglue import Adaptivity, Architecture
from lightmatch_ros.core.lightglue.assignment import log_assignment, mutual_matches

CAPACITY = 16


def matched(network, pairs, stop_layers, width=CAPACITY, threshold=0.05):
    """Reads the matches of pairs of states (M, D), (N, D) with each pair's head."""
    state = State.allocate(network.architecture, len(pairs) + 1, (CAPACITY,), torch.float32, torch.device("cpu"))
    counts = [(len(x0), len(x1)) for x0, x1 in pairs]
    write_request(state.request.words, counts, Adaptivity(), threshold)
    state.begin(torch.tensor([CAPACITY]))
    state.x.uniform_(-5, 5)
    for p, pair in enumerate(pairs):
        state.answer.stop_layer[p] = stop_layers[p]
        for i, x in enumerate(pair):
            state.x[p, i, : len(x)] = x
    assign(state, Heads(fold(network)), width)
    return [read_answer(words, pair) for words, pair in zip(state.answer.words, counts)]


def expected(network, x0, x1, stop_layer, threshold=0.05):
    if not (len(x0) and len(x1)):
        return torch.empty(0), torch.empty(0), torch.empty(0)
    return mutual_matches(log_assignment(*network.head(stop_layer - 1)(x0, x1)), threshold)


def states(counts, seed):
    """States of which the shorter image's are the other's with noise, so that there are matches."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(max(counts), SMALL.descriptor_dim, generator=generator)
    return x[: counts[0]], (x + 0.05 * torch.randn(x.shape, generator=generator))[: counts[1]].flip(0)


@pytest.mark.parametrize("block_elements", [1 << 22, 100, 1])
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), min_size=1, max_size=3), st.integers(0, 99))
def test_matches_are_the_reference_heads(block_elements, counts, seed):
    network = random_network()
    pairs = [states(pair, seed + p) for p, pair in enumerate(counts)]
    layers = [1 + (seed + p) % SMALL.n_layers for p in range(len(pairs))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "BLOCK_ELEMENTS", block_elements)
        outputs = matched(network, pairs, layers)
    for out, (x0, x1), layer in zip(outputs, pairs, layers):
        indices0, indices1, scores = expected(network, x0, x1, layer)
        assert torch.equal(out.indices0, indices0.long())
        assert torch.equal(out.indices1, indices1.long())
        torch.testing.assert_close(out.scores, scores, atol=1e-5, rtol=0)


def test_narrow_assignment_reads_the_same_matches():
    network = random_network()
    pair = states((7, 8), 3)
    (wide,), (narrow,) = (matched(network, [pair], [2], width) for width in (CAPACITY, 8))
    assert len(wide.indices0)
    assert torch.equal(wide.indices0, narrow.indices0)
    assert torch.equal(wide.indices1, narrow.indices1)


def test_weights_with_one_head_use_it():
    network = random_network(Architecture(input_dim=24, descriptor_dim=32, num_heads=2, n_layers=4, adaptive=False))
    x0, x1 = states((9, 6), 1)
    (out,) = matched(network, [(x0, x1)], [4])
    assert torch.equal(out.indices0, expected(network, x0, x1, 4)[0])


def test_infinite_threshold_leaves_no_match():
    (out,) = matched(random_network(), [states((9, 6), 1)], [1], threshold=float("inf"))
    assert len(out.indices0) == len(out.scores) == 0
