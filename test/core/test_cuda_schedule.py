# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from lightglue_cases import ENCODES_SCALE, SMALL, pair_of, random_network
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from lightmatch_ros.core.engine.cuda import attention
from lightmatch_ros.core.engine.cuda.assignment import Heads
from lightmatch_ros.core.engine.cuda.layers import Layers
from lightmatch_ros.core.engine.cuda.program import MatchProgram, PrepareProgram
from lightmatch_ros.core.engine.cuda.schedule import HostFlags, both_ways, host_branch, launch_ahead, run_whole
from lightmatch_ros.core.engine.cuda.state import read_answer, write_request
from lightmatch_ros.core.engine.folded import fold
from lightmatch_ros.core.lightglue import Adaptivity, LightGlue

WIDTHS = (32, 16, 8)


class Device:
    """Layers that decide when they run: the flags of step i + 1 are those given for layer i."""

    def __init__(self, decisions: list[list[bool]]) -> None:
        self.decisions = decisions
        self.log: list[tuple] = []

    def launch(self, i: int, level: int) -> None:
        self.log.append(("layer", i, level))

    def send(self, step: int) -> None:
        assert ("layer", step - 1) in [entry[:2] for entry in self.log], "flags are sent after the layer's launch"
        self.log.append(("send", step))

    def receive(self, step: int) -> list[bool]:
        assert ("send", step) in self.log
        self.log.append(("receive", step))
        return self.decisions[step - 1]

    def layers(self) -> list[tuple[int, int]]:
        return [entry[1:] for entry in self.log if entry[0] == "layer"]


WIDE, HALF, QUARTER, ENDED = [True, False, False], [False, True, False], [False, False, True], [False] * 3


def test_all_layers_run_where_nothing_is_decided():
    device = Device([WIDE] * 5)
    assert launch_ahead(5, 0, device.launch, device) == 0
    assert device.layers() == [(i, 0) for i in range(5)]


def test_next_layer_is_launched_before_flags_are_read():
    device = Device([WIDE] * 4)
    launch_ahead(4, 0, device.launch, device)
    for step in (1, 2, 3):
        assert device.log.index(("layer", step, 0)) < device.log.index(("receive", step))


def test_one_layer_too_many_after_the_end():
    device = Device([WIDE, ENDED, ENDED, ENDED, ENDED])
    launch_ahead(5, 0, device.launch, device)
    assert device.layers() == [(0, 0), (1, 0), (2, 0)]


def test_width_follows_one_layer_behind():
    device = Device([HALF, HALF, QUARTER, QUARTER, QUARTER, QUARTER])
    assert launch_ahead(6, 0, device.launch, device) == 2
    assert device.layers() == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]


@pytest.mark.parametrize("n_layers", [1, 2])
def test_few_layers(n_layers):
    device = Device([WIDE] * n_layers)
    assert launch_ahead(n_layers, 1, device.launch, device) == (1 if n_layers == 1 else 0)
    assert len(device.layers()) == n_layers


def test_host_flags_are_those_at_the_time_of_sending():
    flags = torch.tensor([[True, False], [False, True]])
    reader = HostFlags(flags)
    reader.send(1)
    flags.zero_()
    assert reader.receive(1) == [False, True]


def loaded_program(adaptivity: Adaptivity, counts=((20, 13),), batch: int = 1) -> MatchProgram:
    network = random_network()
    layers = Layers(fold(network), network.architecture.num_heads, torch.float32)
    program = MatchProgram(network, layers, Heads(fold(network)), batch, WIDTHS, torch.float32)
    for p, pair in enumerate(counts):
        for i, points in enumerate(pair_of(network, *pair, seed=p)):
            prepare = PrepareProgram(network, layers.self_blocks[0].self_attention, 32, torch.float32)
            prepare.load(points)
            prepare.run()
            program.state.x[p, i].copy_(prepare.x)
            program.state.encoding[p, i].copy_(prepare.encoding)
    write_request(program.state.request.words, counts, adaptivity, 0.01)
    return program


def snapshot(program: MatchProgram) -> list[torch.Tensor]:
    s = program.state
    return [t.clone() for t in (s.x, s.encoding, s.kept, s.running, s.answer.words)]


def test_layer_after_the_end_changes_nothing():
    program = loaded_program(Adaptivity(0.01, 0.99))
    program.begin()
    program.layer(0, 0)
    assert not program.state.running.any()
    before = snapshot(program)
    program.layer(1, 0)
    program.layer(SMALL.n_layers - 1, 0)
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(program)))
    assert not program.state.flags[1:].any()


@pytest.mark.parametrize("level", [0, 1])
def test_ended_pair_is_left_alone_while_another_runs(level):
    """Also where the other runs at a width that the ended pair does not fit in."""
    program = loaded_program(Adaptivity(-1, -1), ((20, 13), (9, 7)), batch=2)
    program.begin()
    program.layer(0, 0)
    program.state.running[0] = False
    before = [t.clone() for t in (program.state.x, program.state.kept, program.state.answer.words)]
    program.layer(1, level)
    after = (program.state.x, program.state.kept, program.state.answer.words)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(after, before))
    assert not torch.equal(program.state.x[1], before[0][1])
    assert program.state.answer.stop_layer.tolist() == [1, 2]


@pytest.mark.parametrize(("counts", "level"), [((32, 1), 0), ((17, 3), 0), ((16, 16), 1), ((9, 1), 1), ((8, 2), 2)])
def test_flags_choose_the_narrowest_width(counts, level):
    program = loaded_program(Adaptivity(), (counts,))
    program.begin()
    assert program.state.flags[0].tolist() == [i == level for i in range(3)]


def test_no_width_for_a_launch_without_points():
    program = loaded_program(Adaptivity(), ((1, 1),))
    program.state.request.words.zero_()
    program.begin()
    assert not program.state.flags.any()


def test_each_layer_runs_at_one_width_at_most():
    program = loaded_program(Adaptivity(-1, 0.5), ((32, 30),))
    ran: list[int] = []
    layer = program.layer
    program.layer = lambda i, level: (ran.append(i), layer(i, level))  # type: ignore[method-assign]
    run_whole(program, host_branch)
    assert ran == sorted(set(ran))


def test_run_of_all_branches_leaves_a_usable_program():
    """As before a capture: every branch, no points; what it leaves must not reach the next match."""
    program = loaded_program(Adaptivity())
    request, (x, encoding) = (
        program.state.request.words.clone(),
        (program.state.x.clone(), program.state.encoding.clone()),
    )
    run_whole(program, host_branch)
    expected = read_answer(program.state.answer.words[0].clone(), (20, 13))
    program.state.request.words.zero_()
    run_whole(program, both_ways)
    assert not program.state.x.isnan().any()
    program.state.request.words.copy_(request)
    program.state.x.copy_(x)
    program.state.encoding.copy_(encoding)
    run_whole(program, host_branch)
    again = read_answer(program.state.answer.words[0], (20, 13))
    assert torch.equal(again.indices0, expected.indices0)
    assert torch.equal(again.scores, expected.scores)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("by_length", [False, True])
def test_no_step_depends_on_what_is_in_a_tensor(dtype, by_length, monkeypatch):
    """Tensors without values refuse what the host would have to wait for and what has no fixed shape."""
    if by_length:
        monkeypatch.setattr("lightmatch_ros.core.engine.cuda.layers.attend", attention._by_length)
    with FakeTensorMode(), torch.inference_mode():
        network = LightGlue(ENCODES_SCALE).requires_grad_(False)
        layers = Layers(fold(network), network.architecture.num_heads, dtype)
        program = MatchProgram(network, layers, Heads(fold(network)), 2, WIDTHS, dtype)
        prepare = PrepareProgram(network, layers.self_blocks[0].self_attention, 32, dtype)
        run_whole(program, both_ways)
        prepare.run()
        with pytest.raises(DataDependentOutputException):
            run_whole(program, host_branch)
