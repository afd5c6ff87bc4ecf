# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""How the node starts, refuses to start, and ends."""

import pytest
from node_harness import NodeProcess

pytestmark = pytest.mark.dds


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"matcher__max_keypoint": 3},
            "unknown parameter 'matcher.max_keypoint'; did you mean 'matcher.max_keypoints'",
        ),
        ({"matcher__max_keypoints": 0}, "matcher.max_keypoints: got 0, wanted 1 to 20000"),
        ({"matcher__features": "orb"}, "got 'orb', wanted one of"),
        ({"matcher__device": "cuda:77"}, "device 'cuda:77' was asked for"),
        (
            {"matcher__weights": "/no/such.safetensors"},
            "no such checkpoint file: /no/such.safetensors",
        ),
        ({"publish_tf": "maybe"}, "wanted a bool"),
    ],
)
def test_bad_configuration_ends_with_one_clear_line(parameters, message):
    process = NodeProcess(**parameters)
    assert process.wait() == 2
    said = [line for line in process.lines if "FATAL" in line]
    assert len(said) == 1
    assert message in said[0]
    assert not any("Traceback" in line for line in process.lines)


def test_absent_weights_say_which_file_and_where_to_put_it(tmp_path):
    process = NodeProcess(
        environment={
            "LIGHTMATCH_WEIGHTS": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path),
            "https_proxy": "http://127.0.0.1:9",
        },
        matcher__features="aliked-n16",
    )
    assert process.wait() == 2
    line = next(line for line in process.lines if "FATAL" in line)
    assert "aliked-n16" in line
    assert "https://" in line
    assert str(tmp_path) in line


def test_adaptivity_without_heads_is_refused(xfeat_weights):
    process = NodeProcess(environment=xfeat_weights, matcher__features="xfeat", matcher__depth_confidence=0.95)
    assert process.wait() == 2
    assert any("no heads" in line for line in process.lines)


@pytest.mark.parametrize("moment", ["started", "active on camera"])
def test_ctrl_c_ends_it_within_two_seconds(moment):
    process = NodeProcess()
    process.wait_for("loading" if moment == "started" else moment)
    code, took_s = process.interrupt()
    assert code == 0
    assert took_s < 2
    assert not any("Traceback" in line for line in process.lines)
