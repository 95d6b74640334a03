"""Watches over the machines that ended jobs have left, writes down what they cost, and ends them when no job needs them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra_sagemaker.aws.clients import persistently
from hydra_sagemaker.aws.warm_pools import WarmPool
from hydra_sagemaker.backends.base import Backend
from hydra_sagemaker.errors import CallFailed, LauncherError, NotPermitted, Throttled, Unreachable
from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.pricing.cost import kept_usd, with_kept
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.warm_pools import Pool, PoolState, WarmPools
from hydra_sagemaker.settings import keep_warm_seconds

if TYPE_CHECKING:
    from hydra_sagemaker.scheduling.tracker import Submission

log = logging.getLogger(__name__)
ENDING_SECONDS = 120.0
"""A pool that lives so long after it was told to end has not been ended."""
LOOKS_AT_OTHERS = 10
"""Running jobs that are looked at before the account counts as one without a quota."""
PATIENCE_SECONDS = 20.0
"""For ending pools when the launcher ends."""


class Unended(NamedTuple):
    """Machines that the launcher could not give back."""

    name: str
    until: float | None
    """Seconds since 1970; None: their job still runs."""
    keep_seconds: float
    reason: str


class PoolKeeper:
    def __init__(self, backend: Backend, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self.backend, self.ledger, self.clock = backend, ledger, clock
        self.pools = WarmPools()
        self.on_settled: Callable[[Submission, str, dict[str, Any]], None] = lambda submission, name, record: None
        """Is called when the cost of a collected job's pool is known: with the attempt's name and its record."""
        self.unended: dict[str, Unended] = {}
        self._asked: dict[str, Submission] = {}
        """Jobs that run, and whose machines will be kept."""
        self._left: dict[str, Submission] = {}
        """Jobs whose pools are not settled."""
        self._records: dict[str, dict[str, Any]] = {}
        """The records of collected jobs whose pools are not settled."""
        self._settled: dict[str, WarmPool] = {}
        """The pools of jobs that are not collected."""
        self._machines_of: dict[str, str] = {}
        """The job from which one has its machines, by its name."""

    def started(self, submission: Submission) -> None:
        """Take note of a job that is submitted or attached to."""
        if self.backend.pools.shape(submission.job, submission.name):
            self._asked[submission.name] = submission

    def not_started(self, submission: Submission) -> None:
        self._asked.pop(submission.name, None)

    def ended(self, submission: Submission, now: float) -> None:
        """Take note of a job that has ended: a pool comes, if it asked for one."""
        if self._asked.pop(submission.name, None) is None:
            return
        if shape := self.backend.pools.shape(submission.job, submission.name):
            self._left[submission.name] = submission
            seconds = keep_warm_seconds(submission.job.settings)
            self.pools.add(Pool(submission.name, shape, submission.kind, seconds, now), now)

    def found(self, name: str, pool: WarmPool, now: float) -> None:
        """Take note of a pool that a job of an earlier launch has left."""
        self.pools.add(Pool(name, pool.shape, pool.instance_type, pool.keep_seconds, now), now)

    def is_kept(self, name: str) -> bool:
        """Return whether the machines of an ended job may cost something yet."""
        return name in self._left or name in self.pools.pools

    def tend(self, now: float, waiting: Mapping[str, int], free_slots: int) -> None:
        """Look at the pools that are due, and end the ones that no job in the queue needs."""
        for pool in self.pools.unneeded(waiting, free_slots, now):
            self._end(pool, now)
        for pool in [pool for pool in self.pools.pools.values() if pool.look_at <= now]:
            if pool.state == PoolState.ENDING and now - pool.changed_at > ENDING_SECONDS:
                self._give_up(pool, now, "it is still there after two minutes")
                continue
            try:
                self._look(pool, now)
            except LauncherError as error:
                self._missed(pool, now, error)

    def collected(self, submission: Submission, record: dict[str, Any]) -> None:
        """Put into a job's record what is known of its machines; what they cost may be known later."""
        name = submission.name
        if earlier := self._machines_of.pop(name, None):
            record["warm_start_from"] = earlier
        if (settled := self._settled.pop(name, None)) is not None:
            _note(record, settled)
        elif self.is_kept(name):
            self._left[name], self._records[name] = submission, record

    def end_all(self) -> list[Unended]:
        """End the pools that are there, and the pools of jobs that still run; return what could not be ended."""
        names = [*self.pools.pools, *self._asked]
        deadline = self.clock() + PATIENCE_SECONDS
        for name in names:
            patience = max(0.0, deadline - self.clock())
            pool, submission = self.pools.pools.get(name), self._asked.get(name) or self._left.get(name)
            try:
                persistently(lambda name=name: self.backend.pools.end(name), patience_seconds=patience)
                if pool is not None:
                    self._look(pool, self.clock())
            except LauncherError as error:
                self.unended[name] = _unended(name, pool, submission, self.clock(), error)
            self.pools.pools.pop(name, None)
            self._asked.pop(name, None)
        found, self.unended = list(self.unended.values()), {}
        return found

    def remaining(self, reason: str) -> list[Unended]:
        """Return the pools that were not ended, for this reason."""
        error = CallFailed(reason)
        for name in (*self.pools.pools, *self._asked):
            pool, submission = self.pools.pools.get(name), self._asked.get(name) or self._left.get(name)
            self.unended[name] = _unended(name, pool, submission, self.clock(), error)
        return list(self.unended.values())

    def _look(self, pool: Pool, now: float) -> None:
        found = self.backend.pools.look(pool.name) or WarmPool("Terminated")
        if not self.pools.seen(pool.name, found, now):
            return
        if not found.status and found.had_machines:
            for name in list(self._asked)[:LOOKS_AT_OTHERS]:  # the quota may be smaller than the number of jobs
                self.backend.pools.look(name)
            self.backend.pools.missing(found.instance_type)
        self._settle(pool.name, found)

    def _end(self, pool: Pool, now: float) -> None:
        try:
            self.backend.pools.end(pool.name)
        except LauncherError as error:
            self._missed(pool, now, error)
        else:
            self.pools.set(pool, PoolState.ENDING, now)
            pool.look_at = now

    def _missed(self, pool: Pool, now: float, error: LauncherError) -> None:
        pool.look_at = pool.end_after = now + self.pools.look_seconds
        is_hopeless = isinstance(error, NotPermitted) or now - pool.since > ENDING_SECONDS
        if now > pool.until or (is_hopeless and not isinstance(error, (Throttled, Unreachable))):
            self._give_up(pool, now, str(error).splitlines()[0])

    def _give_up(self, pool: Pool, now: float, reason: str) -> None:
        submission = self._left.pop(pool.name, None)
        self.unended[pool.name] = _unended(pool.name, pool, submission, now, CallFailed(reason))
        del self.pools.pools[pool.name]

    def _settle(self, name: str, found: WarmPool) -> None:
        """Write down what has become of a pool: in the ledger, and in the record of its job."""
        submission, record = self._left.pop(name, None), self._records.pop(name, None)
        if found.reused_by:
            self._machines_of[found.reused_by] = name
        told = {"status": found.status, "reused_by": found.reused_by, "kept_warm_seconds": found.kept_seconds}
        told["kept_warm_usd"] = kept_usd(record.get("cost") or {}, found.kept_seconds) if record is not None else None
        self.ledger.append("warm_pool", name=name, **{key: value for key, value in told.items() if value not in ("", None)})
        if record is None:
            self._settled[name] = found
        else:
            _note(record, found)
            assert submission is not None
            _rewrite(submission, name, record)
            self.on_settled(submission, name, record)


def _note(record: dict[str, Any], found: WarmPool) -> None:
    """Put a pool into a record. The bill is changed in place: a later attempt's record has it too."""
    if found.status:
        record["warm_pool"] = {"status": found.status} | ({"reused_by": found.reused_by} if found.reused_by else {})
    if cost := record.get("cost"):
        cost.update(with_kept(cost, found.kept_seconds))


def _rewrite(submission: Submission, name: str, record: Mapping[str, Any]) -> None:
    """Correct the bill in record.json, which was written when the job was collected."""
    file = submission.job.job_dir / "record.json"
    written = read_json(file)
    attempts = [written, *written.get("earlier_attempts", ())] if isinstance(written, dict) else []
    for one in attempts:
        if one.get("name") == name:
            one.update({key: record[key] for key in ("cost", "warm_pool") if key in record})
            write_atomically(file, json.dumps(written, indent=1, default=str))


def _unended(name: str, pool: Pool | None, submission: Submission | None, now: float, error: LauncherError) -> Unended:
    keep = pool.keep_seconds if pool is not None else keep_warm_seconds(submission.job.settings) if submission else 0.0
    until = None if pool is None else time.time() + pool.until - now
    return Unended(name, until, keep, str(error).splitlines()[0])
