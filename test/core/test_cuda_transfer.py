# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from lightglue_cases import SMALL

from lightmatch_ros.core.engine.cuda.state import (
    Answer,
    Request,
    State,
    answer_shape,
    read_answer,
    request_words,
    write_request,
)
from lightmatch_ros.core.engine.cuda.transfer import Slot
from lightmatch_ros.core.lightglue import Adaptivity

CPU = torch.device("cpu")


def test_request_arrives_as_written():
    request = Request.allocate(3, CPU)
    words = torch.full((request_words(3),), 77, dtype=torch.int32)
    write_request(words, [(5, 6), (1, 0)], Adaptivity(0.95, 0.99, min_points=12), 0.1)
    request.words.copy_(words)
    assert request.counts.tolist() == [[5, 6], [1, 0], [0, 0]]
    assert request.min_points == 12
    assert (request.stops, request.prunes) == (1, 1)
    assert request.depth == torch.tensor(0.95)
    assert request.unmatchable == torch.tensor(1 - 0.99)
    assert request.threshold == torch.tensor(0.1)


@pytest.mark.parametrize(("adaptivity", "stops", "prunes"), [((-1, -1), 0, 0), ((0, 0.9), 0, 1), ((0.9, -1), 1, 0)])
def test_what_is_off_arrives_off(adaptivity, stops, prunes):
    request = Request.allocate(1, CPU)
    write_request(request.words, [(1, 1)], Adaptivity(*adaptivity), 0.1)
    assert (request.stops, request.prunes) == (stops, prunes)


def test_answer_is_read_as_written():
    answer = Answer.allocate(2, 4, CPU)
    assert answer.words.shape == answer_shape(2, 4)
    answer.words.fill_(-5)
    answer.stop_layer.copy_(torch.tensor([9, 3]))
    answer.counts.copy_(torch.tensor([[1, 1], [3, 2]]))
    answer.index0[1] = torch.tensor([0, 2, 3, 3])
    answer.index1[1] = torch.tensor([4, -1, 1, 2])  # the last row is beyond the count
    answer.scores[1] = torch.tensor([0.25, 0.5, 0.75, 1.0])
    answer.layers[1] = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    out = read_answer(answer.words[1], (4, 3))
    assert out.indices0.tolist() == [0, 3]
    assert out.indices1.tolist() == [4, 1]
    assert out.scores.tolist() == [0.25, 0.75]
    assert (out.stop_layer, out.num_kept) == (3, 5)
    assert out.layers0.tolist() == [1, 2, 3, 4]
    assert out.layers1.tolist() == [5, 6, 7]
    assert out.indices0.dtype == out.layers0.dtype == torch.int64


def test_results_survive_the_slots_next_answer():
    state = State.allocate(SMALL, 1, (8,), torch.float32, CPU)
    slot = Slot(state)
    slot.send([(2, 2)], Adaptivity(), 0.1)
    state.begin(torch.tensor([8]))
    state.answer.index1[0, 0] = 1
    slot.fetch()
    (out,) = slot.receive([(2, 2)])
    state.answer.words.fill_(-3)
    slot.fetch()
    assert (out.indices0.tolist(), out.indices1.tolist(), out.layers0.tolist()) == ([0], [1], [1, 1])


def test_two_slots_hold_two_answers():
    state = State.allocate(SMALL, 1, (8,), torch.float32, CPU)
    slots = Slot(state), Slot(state)
    for stop_layer, slot in enumerate(slots, start=1):
        slot.send([(1, 1)], Adaptivity(), 0.1)
        state.begin(torch.tensor([8]))
        state.answer.stop_layer.fill_(stop_layer)
        slot.fetch()
    assert [slot.receive([(1, 1)])[0].stop_layer for slot in slots] == [1, 2]
