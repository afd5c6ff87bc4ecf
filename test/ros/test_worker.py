# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The worker's two stages, with an extractor and a matcher whose steps the test permits one by one."""

import dataclasses
import threading
import time

import pytest
from sensor_msgs.msg import Image
from worker_rig import BAD, FATAL, LIMIT_S, NO_MEMORY, Rig

SPLIT = pytest.mark.parametrize("overlap", ["always", "never"])


@pytest.fixture
def rig(overlap, monkeypatch):
    rig = Rig(overlap, monkeypatch)
    rig.start()
    yield rig
    rig.extracting.open()
    rig.matching.open()
    assert rig.worker.stop(LIMIT_S)


def both_cameras(rig: Rig) -> None:
    """An image of each camera, the first in the matcher, the second wherever it gets to."""
    rig.extracting.open()
    rig.put(1, "a")
    assert rig.matching.wait_for(1)
    rig.put(2, "b")


@pytest.mark.parametrize("overlap", ["always"])
def test_the_next_image_is_extracted_during_the_match(rig):
    both_cameras(rig)
    assert rig.extracting.wait_for(1, 2), "extracted though image 1 is still being matched"
    rig.matching.open()
    rig.settle(2)
    assert rig.published == [("a", 1), ("b", 2)]
    assert rig.threads["extract"].isdisjoint(rig.threads["match"])
    assert rig.threads["match"] == rig.threads["job"] == {"lightmatch-worker"}


@pytest.mark.parametrize("overlap", ["always"])
def test_the_match_of_a_frame_that_waits_begins_before_its_turn(rig):
    both_cameras(rig)
    assert rig.extracting.wait_for(1, 2)
    wait_until_it_waits(rig)
    rig.matching.open()
    rig.settle(2)
    assert rig.begun == [2]


def wait_until_it_waits(rig: Rig) -> None:
    """The extraction has ended when the next item lies there."""
    deadline = time.monotonic() + LIMIT_S
    while rig.worker._ahead.peek() is None:
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


@pytest.mark.parametrize("overlap", ["never"])
def test_without_overlap_one_thread_does_one_after_the_other(rig):
    both_cameras(rig)
    assert not rig.extracting.wait_for(1, 2, timeout_s=0.2)
    rig.matching.open()
    rig.settle(2)
    assert rig.published == [("a", 1), ("b", 2)]
    assert set.union(*rig.threads.values()) == {"lightmatch-worker"}
    assert rig.begun == []


@pytest.mark.parametrize("overlap", ["always"])
def test_the_newest_image_wins_and_the_rest_is_counted(rig):
    """Image 1 is matched, 2 waits with its features; of 3, 4, 5 the last is extracted, when 2 has been taken."""
    rig.extracting.open()
    rig.put(1)
    assert rig.matching.wait_for(1)
    rig.put(2)
    assert rig.extracting.wait_for(1, 2)
    for value in (3, 4, 5):
        rig.put(value)
    rig.matching.permit()
    assert rig.matching.wait_for(1, 2)
    assert rig.extracting.wait_for(1, 2, 5)
    rig.matching.open()
    rig.settle(3)
    assert rig.published == [("a", 1), ("a", 2), ("a", 5)]
    assert rig.mailbox.counts == (5, 2)
    assert rig.worker.statistics.snapshot.processed == 3


@SPLIT
def test_jobs_come_between_the_frames_before_and_after_them(rig):
    """And on the thread that matches, so that a reset never meets a match."""
    rig.extracting.open()
    rig.put(1)
    assert rig.matching.wait_for(1)
    seen: list[int] = []
    done = rig.job(lambda: (seen.extend(rig.matching.begun), rig.worker.reset()))
    rig.put(2)
    assert not done.is_set()
    rig.matching.open()
    assert done.wait(LIMIT_S)
    rig.settle(2)
    assert seen == [1] and rig.matching.begun == [1, 2]
    assert rig.threads["job"] == rig.threads["match"]
    assert [pipeline.resets for pipeline in rig.pipelines] == [1, 1]


@SPLIT
def test_live_parameters_count_from_the_next_match(rig):
    rig.extracting.open()
    rig.put(1, "a")
    assert rig.matching.wait_for(1)
    rig.put(2, "b")
    matcher = dataclasses.replace(rig.worker.config.matcher, filter_threshold=0.7)
    rig.worker.config = dataclasses.replace(rig.worker.config, matcher=matcher)
    rig.matching.open()
    rig.settle(2)
    assert rig.thresholds == [0.0, 0.7]
    assert all(pipeline.keyframe is rig.worker.config.keyframe for pipeline in rig.pipelines)


@SPLIT
def test_what_cannot_be_used_is_counted_and_the_next_is_matched(rig):
    rig.extracting.open()
    rig.matching.open()
    rig.mailbox.put_image("a", Image())  # cannot be decoded
    rig.settle(1)
    for k, value in enumerate((BAD, NO_MEMORY, 3)):
        rig.put(value)
        rig.settle(2 + k)
    now = rig.worker.statistics.snapshot
    assert (now.failed, now.processed, rig.published) == (3, 1, [("a", 3)])
    assert [error.split(":")[0] for error in rig.errors] == ["a"] * 3
    assert "wanted at least 1 x 1" in rig.errors[0] and rig.errors[1:] == ["a: bad image", "a: no memory"]
    assert now.last_error == "no memory"


@SPLIT
@pytest.mark.parametrize("stage", ["extraction", "matching", "job"])
def test_death_of_a_stage_is_the_worker_s(rig, overlap, stage):
    rig.extracting.open()
    rig.matching.open()
    if stage == "job":
        rig.mailbox.put_job(lambda: 1 // 0)
    else:
        rig.fatal = RuntimeError("the matcher is gone") if stage == "matching" else None
        rig.put(FATAL if stage == "extraction" else 1)
    assert rig.died.wait(LIMIT_S)
    wanted = {"extraction": "the extractor is gone", "matching": "the matcher is gone", "job": "division"}[stage]
    assert wanted in str(rig.worker.error)
    assert len(rig.errors) == 1 and rig.errors[0].startswith("worker ended: ") and wanted in rig.errors[0]
    rig.put(2)
    assert rig.worker.stop(LIMIT_S), "both threads end"
    assert rig.published == []


@SPLIT
def test_stop_does_not_wait_for_what_is_still_to_be_matched(rig, overlap):
    rig.extracting.open()
    rig.put(1)
    assert rig.matching.wait_for(1)
    rig.put(2)
    if overlap == "always":
        assert rig.extracting.wait_for(1, 2)
    assert not rig.worker.stop(0.01), "image 1 is still being matched"
    rig.matching.permit()
    assert rig.worker.stop(LIMIT_S)
    assert rig.matching.begun == [1]
    assert rig.worker.error is None and not rig.died.is_set()


@pytest.mark.parametrize("overlap", ["always"])
def test_stop_tells_of_an_extraction_that_does_not_end(rig):
    rig.put(1)
    assert rig.extracting.wait_for(1)
    assert not rig.worker.stop(0.1)
    rig.extracting.open()
    assert rig.worker.stop(LIMIT_S)
    assert rig.matching.begun == []


@SPLIT
def test_times_add_up(rig):
    """All that a frame waits is in queue_ms: in the mailbox, and between the stages."""
    rig.put(1, "a")
    assert rig.extracting.wait_for(1)
    rig.put(2, "b")
    rig.extracting.open()
    assert rig.matching.wait_for(1)
    time.sleep(0.1)  # image 2 waits, in the one place or the other
    rig.matching.open()
    rig.settle(2)
    now = rig.worker.statistics.snapshot
    assert now.processed == 2
    assert now.queue_ms >= 95
    parts = now.queue_ms + now.extract_ms + now.match_ms + now.geometry_ms + now.publish_ms
    assert now.extract_ms >= 3 and parts <= now.total_ms + 3.1  # 3 ms are claimed by the fake
    assert now.age_ms == 1000.0
