"""Decides what to do next, and does nothing itself: no thread, no clock, no network. `loop` carries it out."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from hydra_sagemaker.scheduling.actions import Action, Collect, Poll, Sleep, Submit, Tend
from hydra_sagemaker.scheduling.backoff import Backoff, TokenBucket
from hydra_sagemaker.scheduling.quota import Quota
from hydra_sagemaker.scheduling.warm_pools import WarmPools

LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_PROBE_SECONDS = 300.0
START_SECONDS = 300.0
"""About the start of a machine: none is kept for a job that comes later."""


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
        self.shapes: list[str] = []
        self.quotas: dict[str, Quota] = {}
        self.lines: dict[tuple[str, str], deque[int]] = {}
        """The jobs in the queue, by kind and shape of their machines."""
        self.pools = WarmPools()
        self.running: set[int] = set()
        self._machines: dict[int, Hashable] = {}
        """The machine of each running job that shares one."""
        self.failed: set[int] = set()
        """Jobs that have ended badly and, once they are collected, may be queued again."""
        self._later: list[tuple[float, int]] = []
        self._ended: deque[int] = deque()
        self._next_poll = self._polled_at = float("-inf")
        self._submit_after = float("-inf")
        self._bucket = TokenBucket(self.submits_per_second, burst=max(1, round(self.submits_per_second)))
        self._submit_backoff, self._poll_backoff = self._backoff(), self._backoff()

    def add(self, kind: str = "", shape: str = "") -> int:
        """Queue one more job and return its index.

        Args:
            kind: of machine; a quota is for one.
            shape: the machines that the job leaves for others of the same shape; empty where it keeps none.
        """
        self.kinds.append(kind)
        self.shapes.append(shape)
        if kind not in self.quotas:
            self.quotas[kind] = Quota(Backoff(self.poll_seconds, LONGEST_PROBE_SECONDS, self.random), self.max_parallel)
        self._line_of(len(self.kinds) - 1).append(len(self.kinds) - 1)
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
        return len(self._later) + sum(map(len, self.lines.values()))

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
        return [other for other in self._line_of(index) if other != index]

    def next(self, now: float) -> Action | None:
        """Return what to do now, None when nothing is left. `now` in seconds, of any origin."""
        while self._later and self._later[0][0] <= now:
            index = heapq.heappop(self._later)[1]
            self._line_of(index).append(index)
        if self.collects_first and self._ended:
            return Collect(self._ended[0])
        if self.pools and self.pools.unneeded(self.waiting(now), self.idle_slots, now):
            return Tend()
        submit_at, index = self._next_submission(now)
        if submit_at <= now:
            return Submit(index)
        if self.pools and self.pools.look_at() <= now:
            return Tend()
        if self.running and now >= self._next_poll and (self.queued or not self.detach):
            return Poll()
        if self._ended:
            return Collect(self._ended[0])
        if not self.queued and (self.detach or not self.running) and (not self.pools or self.pools.expects_more):
            return None
        next_poll = self._next_poll if self.running else float("inf")
        return Sleep(max(0.001, min(submit_at, next_poll, self.pools.look_at()) - now))

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
        self.pools.claim(self.shapes[index], now)

    def refused(self, index: int, now: float) -> None:
        """A quota refused the job: it stays in the queue, and fewer run at once until the quota has room again."""
        self._bucket.take(now)
        self.pools.refused(self.shapes[index], now)
        self._quota_of(index).refused(now, self.pools.idle(self.kinds[index]))

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
        self.failed.discard(index)

    def requeue(self, index: int, at: float) -> None:
        """Submit a collected job once more, not before `at`."""
        heapq.heappush(self._later, (at, index))

    def withdraw(self, index: int) -> bool:
        """Take a job out of the queue, to be collected as it is; False if it is not in the queue."""
        later = [one for one in self._later if one[1] != index]
        if index in self._line_of(index):
            self._dequeue(index)
        elif len(later) < len(self._later):
            heapq.heapify(later)
            self._later = later
        else:
            return False
        self._ended.append(index)
        return True

    def waiting(self, now: float, *, later: bool = True) -> dict[str, int]:
        """Return the number of jobs in the queue by the shape of their machines; `later`: with jobs that may soon come back."""
        counts: dict[str, int] = {}
        for (_, shape), line in self.lines.items():
            counts[shape] = counts.get(shape, 0) + len(line)
        soon = {index for at, index in self._later if at <= now + START_SECONDS}
        for index in self.failed | soon if later else ():
            counts[self.shapes[index]] = counts.get(self.shapes[index], 0) + 1
        return counts

    @property
    def idle_slots(self) -> int:
        """The number of jobs that could run beside the running ones."""
        return max(0, self.max_parallel - self.machines)

    def _next_submission(self, now: float) -> tuple[float, int]:
        """Return when to submit, and which job: the first in line that its quota admits."""
        slot = float("-inf") if self.machines < self.max_parallel else float("inf")
        best, chosen = self._later[0] if self._later else (float("inf"), -1)
        has_cold_slot = not self.pools or self.idle_slots > self.pools.waited_for(self.waiting(now, later=False), now)
        for (kind, shape), line in self.lines.items():
            if not line:
                continue
            if self.pools and self.pools.is_available(shape):
                at = slot  # its machines are there, and count against the quota already
            else:
                at = max(self._opens_at(self.quotas[kind], self.pools.idle(kind)), slot) if has_cold_slot else float("inf")
            is_better = at < best if best > now else at <= now and line[0] < chosen
            if is_better:
                best, chosen = at, line[0]
        return max(best, slot, self._submit_after, self._bucket.ready_at(now)), chosen

    def _opens_at(self, quota: Quota, idle: int) -> float:
        """A full quota is probed right after the poll that is nearest to its time: later, a job that has ended unseen would
        pass for a quota that has grown."""
        if quota.running + idle < quota.limit:
            return float("-inf")
        if not self.running:
            return quota.probe_at
        return float("-inf" if self._polled_at >= quota.probe_at - self.poll_seconds / 2 else "inf")

    def _quota_of(self, index: int) -> Quota:
        return self.quotas[self.kinds[index]]

    def _line_of(self, index: int) -> deque[int]:
        return self.lines.setdefault((self.kinds[index], self.shapes[index]), deque())

    def _dequeue(self, index: int) -> int:
        self._line_of(index).remove(index)
        return index

    def _backoff(self) -> Backoff:
        return Backoff(min(self.poll_seconds, 5.0), LONGEST_BACKOFF_SECONDS, self.random)
