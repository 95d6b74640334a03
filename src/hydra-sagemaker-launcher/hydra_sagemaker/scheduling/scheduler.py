"""Decides what to do next, and does nothing itself: no thread, no clock, no network. `loop` carries it out."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
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
class Quota:
    """The account's quota for one kind of machine: found out by a refusal, and probed again now and then."""

    probes: Backoff
    limit: int
    probe_at: float = float("-inf")
    running: int = 0
    waiting: deque[int] = field(default_factory=deque)

    def refused(self, now: float) -> None:
        self.limit, self.probe_at = self.running, now + self.probes.next()

    def taken(self) -> None:
        self.running += 1
        if self.running > self.limit:  # the quota is larger than was known: probe for still more at once
            self.limit, self.probe_at = self.running, float("-inf")
            self.probes.reset()


@dataclass
class Scheduler:
    """Schedules the jobs that `add` gives it, known by their index.

    Free slots are filled first, so that no machine stands idle; then a poll when it is due; then results are collected.
    """

    max_parallel: int
    poll_seconds: float
    submits_per_second: float = 1000.0
    detach: bool = False
    """Ends when everything is submitted, without waiting for it."""
    collects_first: bool = False
    """Looks at every result before it submits the next job, for a sweep that ends early when jobs fail."""
    jobs_per_machine: int = 1
    """Above 1, jobs may be submitted together: they share a machine, which takes one slot until the last of them has ended."""
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.kinds: list[str] = []
        self.quotas: dict[str, Quota] = {}
        self.running: set[int] = set()
        self._machines: dict[int, Hashable] = {}
        """The machine of each running job that shares one."""
        self._later: list[tuple[float, int]] = []
        self._ended: deque[int] = deque()
        self._next_poll = self._polled_at = float("-inf")
        self._submit_after = float("-inf")
        self._bucket = TokenBucket(self.submits_per_second, burst=max(1, round(self.submits_per_second)))
        self._submit_backoff, self._poll_backoff = self._backoff(), self._backoff()

    def add(self, kind: str = "") -> int:
        """Queue one more job and return its index. A quota is for one `kind` of machine."""
        self.kinds.append(kind)
        if kind not in self.quotas:
            self.quotas[kind] = Quota(Backoff(self.poll_seconds, LONGEST_PROBE_SECONDS, self.random), self.max_parallel)
        self.quotas[kind].waiting.append(len(self.kinds) - 1)
        return len(self.kinds) - 1

    def restore(self, index: int, *, has_ended: bool, machine: Hashable = None) -> None:
        """Take over a queued job that an earlier launch submitted, perhaps to a `machine` that it shares with others."""
        self._dequeue(index)
        if has_ended:
            self._ended.append(index)
            return
        self._quota_of(index).running += machine is None or machine not in self._machines.values()
        self.running.add(index)
        if machine is not None:
            self._machines[index] = machine

    @property
    def queued(self) -> int:
        """The number of jobs that still have to be submitted."""
        return len(self._later) + sum(len(quota.waiting) for quota in self.quotas.values())

    @property
    def free_slots(self) -> int:
        """The number of further jobs that would be submitted at once, as far as `max_parallel` goes."""
        return max(0, (self.max_parallel - self.machines) * self.jobs_per_machine - self.queued)

    @property
    def machines(self) -> int:
        """The number of machines that run: of jobs that share one, one."""
        return len(self.running) - len(self._machines) + len(set(self._machines.values()))

    def waiting_with(self, index: int) -> list[int]:
        """Return the other jobs that wait for the same kind of machine and are due, in their order."""
        return [other for other in self._quota_of(index).waiting if other != index]

    def next(self, now: float) -> Action | None:
        """Return what to do now, None when nothing is left. `now` in seconds, of any origin."""
        while self._later and self._later[0][0] <= now:
            index = heapq.heappop(self._later)[1]
            self._quota_of(index).waiting.append(index)
        if self.collects_first and self._ended:
            return Collect(self._ended[0])
        submit_at, index = self._next_submission(now)
        if submit_at <= now:
            return Submit(index)
        if self.running and now >= self._next_poll and (self.queued or not self.detach):
            return Poll()
        if self._ended:
            return Collect(self._ended[0])
        if not self.queued and (self.detach or not self.running):
            return None
        return Sleep(max(0.001, min(submit_at, self._next_poll if self.running else float("inf")) - now))

    def submitted(self, index: int, now: float, together: Sequence[int] = (), machine: Hashable = None) -> None:
        """Note that a job runs, on a `machine` that those `together` with it share."""
        is_new = machine is None or machine not in self._machines.values()
        self._dequeue(index)
        for other in together:
            self.running.add(self._dequeue(other))
        if machine is not None:
            self._machines |= dict.fromkeys((index, *together), machine)
        self._bucket.take(now)
        self._submit_backoff.reset()
        if len(self.running) == len(together):
            self._next_poll = now + self.poll_seconds
        self.running.add(index)
        if is_new:
            self._quota_of(index).taken()

    def refused(self, index: int, now: float) -> None:
        """A quota refused the job: it stays in the queue, and fewer run at once until the quota has room again."""
        self._bucket.take(now)
        self._quota_of(index).refused(now)

    def throttled(self, now: float) -> None:
        """The service took no submission, of whatever job: too many calls, or out of reach."""
        self._submit_after = now + self._submit_backoff.next()

    def failed_to_submit(self, index: int) -> None:
        self._ended.append(self._dequeue(index))

    def polled(self, ended: Iterable[int], now: float) -> None:
        for index in self.running.intersection(ended):
            self.running.discard(index)
            machine = self._machines.pop(index, None)
            self._quota_of(index).running -= machine is None or machine not in self._machines.values()
            self._ended.append(index)
        self._poll_backoff.reset()
        self._polled_at, self._next_poll = now, now + self.poll_seconds

    def not_polled(self, now: float) -> None:
        """The poll failed; the next try is later each time."""
        self._next_poll = now + max(self.poll_seconds, self._poll_backoff.next())

    def collected(self, index: int) -> None:
        self._ended.remove(index)

    def requeue(self, index: int, at: float) -> None:
        """Submit a collected job once more, not before `at`."""
        heapq.heappush(self._later, (at, index))

    def withdraw(self, index: int) -> bool:
        """Take a job out of the queue, to be collected as it is; False if it is not in the queue."""
        later = [one for one in self._later if one[1] != index]
        if index in self._quota_of(index).waiting:
            self._dequeue(index)
        elif len(later) < len(self._later):
            heapq.heapify(later)
            self._later = later
        else:
            return False
        self._ended.append(index)
        return True

    def _next_submission(self, now: float) -> tuple[float, int]:
        """Return when to submit, and which job: the first in line that its quota admits."""
        slot = float("-inf") if self.machines < self.max_parallel else float("inf")
        best, chosen = self._later[0] if self._later else (float("inf"), -1)
        for quota in self.quotas.values():
            if not quota.waiting:
                continue
            at = max(self._opens_at(quota), slot)
            is_better = at < best if best > now else at <= now and quota.waiting[0] < chosen
            if is_better:
                best, chosen = at, quota.waiting[0]
        return max(best, slot, self._submit_after, self._bucket.ready_at(now)), chosen

    def _opens_at(self, quota: Quota) -> float:
        """A full quota is probed right after the poll that is nearest to its time: later, a job that has ended unseen would
        pass for a quota that has grown."""
        if quota.running < quota.limit:
            return float("-inf")
        if not self.running:
            return quota.probe_at
        return float("-inf" if self._polled_at >= quota.probe_at - self.poll_seconds / 2 else "inf")

    def _quota_of(self, index: int) -> Quota:
        return self.quotas[self.kinds[index]]

    def _dequeue(self, index: int) -> int:
        self._quota_of(index).waiting.remove(index)
        return index

    def _backoff(self) -> Backoff:
        return Backoff(min(self.poll_seconds, 5.0), LONGEST_BACKOFF_SECONDS, self.random)
