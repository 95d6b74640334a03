"""Decides what to do next, and does nothing itself: no thread, no clock, no network. `_drive` carries it out."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from hydra_sagemaker.scheduling.backoff import Backoff, TokenBucket

LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_PROBE_SECONDS = 300.0


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
class Room:
    """For jobs of one kind of machine: the account's quota is found out by being refused, and tried again now and then."""

    probes: Backoff
    limit: int
    probe_at: float = float("-inf")
    running: int = 0
    waiting: deque[int] = field(default_factory=deque)

    def refused(self, now: float) -> None:
        self.limit, self.probe_at = self.running, now + self.probes.next()

    def taken(self) -> None:
        self.running += 1
        if self.running > self.limit:  # there is more room than was known: look for still more at once
            self.limit, self.probe_at = self.running, float("-inf")
            self.probes.reset()


@dataclass
class Scheduler:
    """Of `count` jobs, known by their index.

    Room is filled first, so that no machine stands idle; a look at all that run is next when it is due; then results come home.
    """

    count: int
    max_parallel: int
    poll_seconds: float
    submits_per_second: float = 1000.0
    kinds: Sequence[str] = ()
    """Of machine, one per job: a quota is for one of them."""
    leaving: bool = False
    """Ends when everything is submitted, without waiting for it."""
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.kinds = self.kinds or [""] * self.count
        self.rooms = {kind: Room(self._probes(), self.max_parallel) for kind in dict.fromkeys(self.kinds)}
        for index, kind in enumerate(self.kinds):
            self.rooms[kind].waiting.append(index)
        self.running: set[int] = set()
        self._later: list[tuple[float, int]] = []
        self._ended: deque[int] = deque()
        self._next_poll = self._polled_at = float("-inf")
        self._submit_after = float("-inf")
        self._bucket = TokenBucket(self.submits_per_second, burst=max(1, round(self.submits_per_second)))
        self._submit_backoff, self._poll_backoff = self._backoff(), self._backoff()

    def already(self, *, running: Iterable[int] = (), ended: Iterable[int] = ()) -> None:
        """Jobs that were submitted by an earlier launch."""
        for index in running:
            self.running.add(index)
            self.rooms[self.kinds[index]].running += 1
        self._ended.extend(ended)
        known = {*self.running, *self._ended}
        for room in self.rooms.values():
            room.waiting = deque(index for index in room.waiting if index not in known)

    @property
    def waits(self) -> bool:
        """For something to be submitted."""
        return bool(self._later) or any(room.waiting for room in self.rooms.values())

    def next(self, now: float) -> Action | None:
        """None: nothing is left to do. `now` in seconds, of any origin."""
        while self._later and self._later[0][0] <= now:
            index = heapq.heappop(self._later)[1]
            self.rooms[self.kinds[index]].waiting.append(index)
        submit_at, index = self._next_submission(now)
        if submit_at <= now:
            return Submit(index)
        if self.running and now >= self._next_poll and (self.waits or not self.leaving):
            return Poll()
        if self._ended:
            return Collect(self._ended[0])
        if not self.waits and (self.leaving or not self.running):
            return None
        return Sleep(max(0.001, min(submit_at, self._next_poll if self.running else float("inf")) - now))

    def submitted(self, index: int, now: float) -> None:
        room = self._leave_queue(index)
        self._bucket.take(now)
        self._submit_backoff.reset()
        if not self.running:
            self._next_poll = now + self.poll_seconds
        self.running.add(index)
        room.taken()

    def refused(self, index: int, now: float) -> None:
        """By a quota: stays in the queue, and fewer run at once until room returns."""
        self._bucket.take(now)
        self.rooms[self.kinds[index]].refused(now)

    def held_up(self, now: float) -> None:
        """The service took no submission, of whatever job: throttled, or out of reach."""
        self._submit_after = now + self._submit_backoff.next()

    def failed_to_submit(self, index: int) -> None:
        self._leave_queue(index)
        self._ended.append(index)

    def polled(self, ended: Iterable[int], now: float) -> None:
        for index in self.running.intersection(ended):
            self.running.discard(index)
            self.rooms[self.kinds[index]].running -= 1
            self._ended.append(index)
        self._poll_backoff.reset()
        self._polled_at, self._next_poll = now, now + self.poll_seconds

    def not_polled(self, now: float) -> None:
        """The next try is later each time."""
        self._next_poll = now + max(self.poll_seconds, self._poll_backoff.next())

    def collected(self, index: int) -> None:
        self._ended.remove(index)

    def again(self, index: int, at: float) -> None:
        """A collected job is submitted once more, not before `at`."""
        heapq.heappush(self._later, (at, index))

    def _next_submission(self, now: float) -> tuple[float, int]:
        """When, and of which job: the first in line that its room lets in."""
        slot = float("-inf") if len(self.running) < self.max_parallel else float("inf")
        best, chosen = self._later[0] if self._later else (float("inf"), -1)
        for room in self.rooms.values():
            if not room.waiting:
                continue
            at = max(self._opens_at(room), slot)
            if at <= now and (best > now or room.waiting[0] < chosen):
                best, chosen = at, room.waiting[0]
            elif best > now and at < best:
                best, chosen = at, room.waiting[0]
        return max(best, slot, self._submit_after, self._bucket.ready_at(now)), chosen

    def _opens_at(self, room: Room) -> float:
        """A full room is tried right after the look that is nearest to its time: later, a job that has ended unseen would pass
        for a quota that has grown."""
        if room.running < room.limit:
            return float("-inf")
        if not self.running:
            return room.probe_at
        return float("-inf" if self._polled_at >= room.probe_at - self.poll_seconds / 2 else "inf")

    def _leave_queue(self, index: int) -> Room:
        room = self.rooms[self.kinds[index]]
        room.waiting.remove(index)
        return room

    def _backoff(self) -> Backoff:
        return Backoff(min(self.poll_seconds, 5.0), LONGEST_BACKOFF_SECONDS, self.random)

    def _probes(self) -> Backoff:
        return Backoff(self.poll_seconds, LONGEST_PROBE_SECONDS, self.random)
