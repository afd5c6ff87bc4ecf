# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
import threading
import time
from types import SimpleNamespace

from lightmatch_ros.ros.mailbox import DEPTH_WAIT_S, Mailbox


def message(nanosec: int = 0, sec: int = 0) -> SimpleNamespace:
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec)))


def test_the_newest_wins_and_the_rest_is_counted():
    box = Mailbox(["c"])
    images = [message(k) for k in range(3)]
    for image in images:
        box.put_image("c", image)
    letter = box.take(0)
    assert (letter.camera, letter.image) == ("c", images[2])
    assert box.take(0).image is None
    assert box.counts == (3, 2)


def test_cameras_are_served_in_turn():
    box = Mailbox(["a", "b", "c"])
    served = []
    for _ in range(6):
        for camera in ("a", "b", "c"):
            box.put_image(camera, message())
        served.append(box.take(0).camera)
    assert served == ["a", "b", "c"] * 2


def test_take_wakes_up_for_an_image():
    box = Mailbox(["c"])
    threading.Timer(0.05, box.put_image, ("c", message())).start()
    started = time.monotonic()
    assert box.take(10).image is not None
    assert time.monotonic() - started < 5


def test_close_ends_the_wait():
    box = Mailbox(["c"])
    threading.Timer(0.05, box.close).start()
    assert box.take(10) is None
    assert box.take(0) is None


def test_jobs_go_first():
    box = Mailbox(["c"])
    box.put_image("c", message())
    done = []
    box.put_job(lambda: done.append(1))
    box.take(0).job()
    assert done == [1]
    assert box.take(0).image is not None


def test_image_and_depth_of_one_stamp_come_together():
    box = Mailbox(["c"], depth=True)
    late, depth = message(33_000_000), message(34_000_000)
    box.put_depth("c", message(0))
    box.put_depth("c", depth)
    box.put_image("c", late)
    letter = box.take(0)
    assert (letter.image, letter.depth) == (late, depth)


def test_depth_may_come_after_its_image():
    box = Mailbox(["c"], depth=True)
    image, depth = message(sec=5), message(sec=5)
    box.put_image("c", image)
    assert box.take(0).image is None
    box.put_depth("c", depth)
    assert box.take(0).depth is depth


def test_an_image_does_not_wait_for_ever():
    box = Mailbox(["c"], depth=True)
    box.put_image("c", message(sec=5))
    letter = box.take(50 * DEPTH_WAIT_S)
    assert letter.image is not None
    assert letter.depth is None


def test_clear_throws_away_without_counting():
    box = Mailbox(["c"])
    box.put_image("c", message())
    box.clear()
    assert box.take(0).image is None
    assert box.counts == (1, 0)


def test_images_wait_until_their_camera_is_ready():
    ready = {"a": False, "b": True}
    box = Mailbox(["a", "b"], ready=ready.get)
    box.put_image("a", message())
    assert box.take(0).image is None
    box.put_image("b", message())
    assert box.take(0).camera == "b"

    def become_ready() -> None:
        ready["a"] = True
        box.look_again()

    threading.Timer(0.05, become_ready).start()
    assert box.take(10).camera == "a"
