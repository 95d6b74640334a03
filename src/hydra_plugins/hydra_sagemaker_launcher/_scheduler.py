"""Decides what to do next, and does nothing itself: no thread, no clock, no network. `_drive` carries it out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Submit(NamedTuple):
    index: int


class Collect(NamedTuple):
    index: int


class Poll(NamedTuple):
    pass


class Sleep(NamedTuple):
    seconds: float


Action = Submit | Collect | Poll | Sleep


@dataclass
class Scheduler:
    """Of `count` jobs, known by their index.

    Results come home first (a lost connection later cannot take them), then room is filled, then one look at all that run.
    """

    count: int
    max_parallel: int
    poll_seconds: float

    def __post_init__(self) -> None:
        self.waiting = deque(range(self.count))
        self.running: set[int] = set()
        self._ended: deque[int] = deque()
        self._next_poll = float("-inf")
        self._full = False

    def already(self, *, running: Iterable[int] = (), ended: Iterable[int] = ()) -> None:
        """Jobs that were submitted by an earlier launch."""
        self.running.update(running)
        self._ended.extend(ended)
        known = {*self.running, *self._ended}
        self.waiting = deque(index for index in self.waiting if index not in known)

    def next(self, now: float) -> Action | None:
        """None: everything is collected. `now` in seconds, of any origin."""
        if self._ended:
            return Collect(self._ended[0])
        if self.waiting and len(self.running) < self.max_parallel and not self._full:
            return Submit(self.waiting[0])
        if not self.running and not self.waiting:
            return None
        if now >= self._next_poll:
            return Poll()
        return Sleep(self._next_poll - now)

    def submitted(self, index: int, now: float) -> None:
        self.waiting.remove(index)
        if not self.running:
            self._next_poll = now + self.poll_seconds
        self.running.add(index)

    def refused(self, index: int) -> None:
        """Stays in the queue; room is tried again after the next poll."""
        self._full = True

    def failed_to_submit(self, index: int) -> None:
        self.waiting.remove(index)
        self._ended.append(index)

    def polled(self, ended: Iterable[int], now: float) -> None:
        for index in ended:
            self.running.discard(index)
            self._ended.append(index)
        self._full = False
        self._next_poll = now + self.poll_seconds

    def collected(self, index: int) -> None:
        self._ended.remove(index)
