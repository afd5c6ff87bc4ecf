# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Two nodes, each in a process of its own, on one device."""

import contextlib

import pytest
import torch
from node_harness import SMALL, poses_of, running

CUDA = pytest.param(
    "cuda:0",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
    ],
)


@pytest.mark.dds
@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_two_nodes_share_a_device(ros_context, room, info, device):
    with contextlib.ExitStack() as stack:
        parameters = {"matcher__device": device, "matcher__tune": "false", **SMALL}
        clients = [stack.enter_context(running(name, **parameters))[1] for name in ("one", "two")]
        one, two = (poses_of(client, room, info) for client in clients)
    assert len(one) >= len(room) - 1
    assert one.keys() == two.keys()
    assert {stamp for stamp, pose in one.items() if pose.valid} == {stamp for stamp, pose in two.items() if pose.valid}
    assert sum(pose.valid for pose in one.values()) >= 0.8 * len(one)
