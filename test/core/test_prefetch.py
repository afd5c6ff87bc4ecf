# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""One item ahead: order, how far ahead, errors, the end. Threads meet at events; the limits are for failures alone."""

import threading
from collections.abc import Iterator

import pytest

from lightmatch_ros.core.prefetch import Prefetch

LIMIT_S = 60.0


class Source:
    """Counts what is begun; each number waits for its permit and is then handed over."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.begun = [threading.Event() for _ in range(count + 1)]
        self.permits = [threading.Event() for _ in range(count)]
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[int]:
        for k in range(self.count):
            self.threads.add(threading.get_ident())
            self.begun[k].set()
            assert self.permits[k].wait(LIMIT_S)
            yield k
        self.begun[self.count].set()

    def permit(self) -> None:
        for event in self.permits:
            event.set()


def test_all_items_in_order_on_another_thread():
    source = Source(50)
    source.permit()
    assert list(Prefetch(source, "ahead")) == list(range(50))
    assert len(source.threads) == 1 and threading.get_ident() not in source.threads


@pytest.mark.parametrize("items", [[], [7]])
def test_few_items(items):
    ahead = Prefetch(items, "ahead")
    assert list(ahead) == items
    assert list(ahead) == []
    assert ahead.join(LIMIT_S)


def test_the_next_item_is_made_while_the_present_one_is_used():
    source = Source(2)
    ahead = Prefetch(source, "ahead")
    source.permits[0].set()
    assert next(ahead) == 0
    assert source.begun[1].wait(LIMIT_S), "begun though nobody has asked for it"
    source.permits[1].set()
    assert next(ahead) == 1


def test_no_item_is_begun_while_one_waits():
    source = Source(3)
    source.permit()
    ahead = Prefetch(source, "ahead")
    assert next(ahead) == 0
    assert source.begun[1].wait(LIMIT_S)
    assert not source.begun[2].wait(0.2), "1 has not been taken"
    assert next(ahead) == 1
    assert source.begun[2].wait(LIMIT_S)


def failing() -> Iterator[int]:
    yield 1
    raise OSError("the source is dry")


def test_an_error_comes_where_the_next_item_would_have():
    ahead = Prefetch(failing(), "ahead")
    assert next(ahead) == 1
    with pytest.raises(OSError, match="dry"):
        next(ahead)
    assert ahead.join(LIMIT_S)


def test_close_throws_away_what_waits_and_lets_the_thread_end():
    source = Source(3)
    source.permit()
    ahead = Prefetch(source, "ahead")
    assert next(ahead) == 0
    assert source.begun[1].wait(LIMIT_S)
    ahead.close()
    assert list(ahead) == []
    assert ahead.join(LIMIT_S)
    assert not source.begun[2].is_set()


def test_close_ends_the_wait_of_who_iterates():
    source = Source(1)
    ahead = Prefetch(source, "ahead")
    got: list[int] = []
    waits = threading.Thread(target=lambda: got.extend(ahead))
    waits.start()
    assert source.begun[0].wait(LIMIT_S)
    ahead.close()
    waits.join(LIMIT_S)
    assert not waits.is_alive()
    assert not ahead.join(0), "its item is still being made"
    source.permit()
    assert ahead.join(LIMIT_S)
    assert got == [] == list(ahead)
