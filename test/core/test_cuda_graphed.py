# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Captures by shape and the way in and out of them, with Python in the graphs' place."""

import numpy as np
import pytest
import torch
from kornia.feature import ALIKED
from kornia.feature.xfeat import XFeatModel
from torch._subclasses.fake_tensor import FakeTensorMode

from lightmatch_ros.core.engine.cuda.graphed import GraphedFunction
from lightmatch_ros.core.engine.cuda.upload import upload
from lightmatch_ros.core.features.aliked_network import AlikedNetwork
from lightmatch_ros.core.features.xfeat_network import XFeatNetwork

CPU = torch.device("cpu")


class Doubled:
    """Writes where it wrote before, as a graph does: one buffer for each shape."""

    def __init__(self) -> None:
        self.calls = 0
        self.buffers: dict[torch.Size, torch.Tensor] = {}

    def __call__(self, argument):
        self.calls += 1
        buffer = self.buffers.setdefault(argument.shape, torch.empty_like(argument))
        torch.mul(argument, 2, out=buffer)
        return buffer, buffer.sum()[None]


def capture(body):
    body()
    return body


def test_one_capture_for_each_shape_and_type():
    function = GraphedFunction(Doubled(), capture)
    for shape in ((2, 3), (3, 2), (2, 3), (2, 3)):
        twice, total = function(torch.ones(shape))
        assert twice.shape == shape and total.item() == 12
    assert function.captures == 2
    function(torch.ones(2, 3, dtype=torch.float64))
    assert function.captures == 3


def test_results_outlive_the_next_call():
    function = GraphedFunction(Doubled(), capture)
    first, _ = function(torch.full((4,), 1.0))
    second, _ = function(torch.full((4,), 5.0))
    function(torch.full((4,), 9.0))
    assert first.tolist() == [2.0] * 4 and second.tolist() == [10.0] * 4


def test_the_argument_is_copied_in():
    function = GraphedFunction(Doubled(), capture)
    argument = torch.ones(3)
    function(argument)
    assert argument.tolist() == [1, 1, 1]
    assert function(argument + 1)[0].tolist() == [4, 4, 4]
    assert argument.tolist() == [1, 1, 1]


def test_beyond_the_limit_it_runs_uncaptured():
    function = GraphedFunction(Doubled(), capture, limit=2)
    for _ in range(3):
        for count in (1, 2, 3, 4):
            assert function(torch.ones(count))[1].item() == 2 * count
    assert function.captures == 2


def test_a_capture_that_fails_is_not_kept():
    failures = [RuntimeError("out of memory")]

    def fail_once(body):
        if failures:
            raise failures.pop()
        return capture(body)

    function = GraphedFunction(Doubled(), fail_once)
    with pytest.raises(RuntimeError):
        function(torch.ones(2))
    assert function.captures == 0
    assert function(torch.ones(2))[0].tolist() == [2, 2]
    assert function.captures == 1


@pytest.mark.parametrize(
    ("network", "channels"),
    [(lambda: XFeatNetwork(XFeatModel().eval(), torch.float32), 1), (lambda: AlikedNetwork(ALIKED().eval()), 3)],
    ids=["xfeat", "aliked"],
)
def test_networks_do_not_depend_on_what_is_in_an_image(network, channels):
    """Tensors without values refuse what a captured network must not do: wait, copy from the host, count."""
    with torch.inference_mode():
        network = network().requires_grad_(False)
        with FakeTensorMode(allow_non_fake_inputs=True):
            outputs = network(torch.empty(1, channels, 96, 128))
    assert all(isinstance(output, torch.Tensor) for output in outputs)


@pytest.mark.parametrize("shape", [(), (0, 2), (3,), (4, 5, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_upload_copies_any_array(shape, dtype):
    array = np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape)
    array.setflags(write=False)
    there = upload(array, CPU)
    np.testing.assert_array_equal(there.numpy(), array)
    assert there.numpy().dtype == dtype and there.shape == shape
    there.fill_(9)
    assert array.sum() == sum(range(array.size))
