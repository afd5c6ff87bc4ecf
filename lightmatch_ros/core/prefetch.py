# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Iteration one item ahead: the next item is made on a thread of its own while the present one is used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

POLL_S = 0.5

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Iterates over a source one item ahead, in its order. One thread may iterate; any may close.

    At most one item waits. The next one is begun when that has been taken, so that a source of live data gives what
    is newest then, and whatever it drops meanwhile it can count.

    Args:
        source: iterated on a thread that starts at once. An exception of it is raised where the next item would have
            come.
        name: of the thread.
    """

    def __init__(self, source: Iterable[T], name: str) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        """Waits for the next item."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait(POLL_S)
            if self._waiting:
                self._changed.notify_all()
                return self._waiting.pop()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def peek(self) -> T | None:
        """Returns the item that waits, without taking it; None where none does."""
        with self._changed:
            return self._waiting[-1] if self._waiting else None

    def close(self) -> None:
        """Ends the iteration now: what waits is thrown away, what is being made will be."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread; returns whether it ended in time."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for item in self._source:
                if not self._hand_over(item):
                    break
        except Exception as error:  # raised again on the thread that iterates
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hand_over(self, item: T) -> bool:
        """Waits until the item has been taken; False where nobody takes any more."""
        with self._changed:
            if not self._ended:
                self._waiting.append(item)
                self._changed.notify_all()
            while self._waiting:
                self._changed.wait(POLL_S)
            return not self._ended
