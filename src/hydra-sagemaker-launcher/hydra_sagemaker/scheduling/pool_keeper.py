"""Watches over the machines that ended jobs have left, writes down what they cost, and ends them when no job needs them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra_sagemaker.aws.warm_pools import WarmPool
from hydra_sagemaker.backends.base import Backend
from hydra_sagemaker.errors import LauncherError, NotPermitted, Throttled, Unreachable
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.cost import kept_usd, with_kept
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.scheduling.pool_ending import PoolEnding, Unended
from hydra_sagemaker.scheduling.warm_pools import SILENT_LOOKS, Pool, PoolState, WarmPools
from hydra_sagemaker.scheduling.written_records import correct
from hydra_sagemaker.settings import keep_warm_seconds

if TYPE_CHECKING:
    from hydra_sagemaker.scheduling.tracker import Submission

log = logging.getLogger(__name__)
ENDING_SECONDS = 120.0
"""A pool that lives so long after it was told to end has not been ended."""
LOOKS_AT_OTHERS = 10
"""Running jobs that are looked at before the account counts as one without a quota."""
PATIENCE_SECONDS = 120.0
"""For pools of ended jobs, when the launcher ends: until they are Available, and until they have ended."""
STOP_SECONDS = 300.0
"""The same for pools of jobs that were just stopped: SageMaker lets a job save for two minutes, and uploads its results."""


class Asked(NamedTuple):
    """A job that runs, and whose machines will be kept."""

    job: Job
    shape: str
    kind: str
    keep_seconds: float
    submission: Submission | None


class PoolKeeper:
    def __init__(
        self, backend: Backend, ledger: Ledger, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.backend, self.ledger, self.clock, self.sleep = backend, ledger, clock, sleep
        self.pools = WarmPools()
        self.on_settled: Callable[[Submission, str, dict[str, Any]], None] = lambda submission, name, record: None
        """Is called when the cost of a collected job's pool is known: with the attempt's name and its record."""
        self.on_settled_earlier: Callable[[float], None] = lambda usd: None
        """Is called with the US dollars of a pool whose job an earlier launch has collected."""
        self.unended: dict[str, Unended] = {}
        self._asked: dict[str, Asked] = {}
        self._left: dict[str, Submission] = {}
        """Jobs whose pools are not settled."""
        self._jobs: dict[str, Job] = {}
        """Jobs of earlier launches whose pools are not settled."""
        self._records: dict[str, dict[str, Any]] = {}
        """The records of collected jobs whose pools are not settled."""
        self._settled: dict[str, WarmPool] = {}
        """The pools of jobs that are not collected."""
        self._machines_of: dict[str, str] = {}
        """The job from which one has its machines, by its name."""
        self._has_said_silent = False

    def started(self, submission: Submission) -> None:
        """Take note of a job that is submitted or attached to."""
        job, name = submission.job, submission.name
        if name not in self._asked and (shape := self.backend.pools.shape(job, name)):
            self._asked[name] = Asked(job, shape, submission.kind, keep_warm_seconds(job.settings), submission)

    def submitted(self, submission: Submission) -> None:
        """Forget a job that was submitted without asking for a pool, since the account has no quota."""
        if not self.backend.pools.shape(submission.job, submission.name):
            self._asked.pop(submission.name, None)

    def not_started(self, submission: Submission) -> None:
        self._asked.pop(submission.name, None)

    def ended(self, submission: Submission, now: float) -> None:
        """Take note of a job that has ended: a pool comes, if it asked for one."""
        if (asked := self._asked.get(submission.name)) is not None:
            self._left[submission.name] = submission
            self.pools.add(Pool(submission.name, asked.shape, asked.kind, asked.keep_seconds, now), now)
            del self._asked[submission.name]  # last: Ctrl-C may come at any moment, and the job is delivered again

    def found(self, name: str, pool: WarmPool, now: float, job: Job) -> None:
        """Take note of a pool that a job of an earlier launch has left, or will leave."""
        if not pool.has_ended:
            self._asked.setdefault(name, Asked(job, pool.shape, pool.instance_type, pool.keep_seconds, None))
            return
        since = now if pool.ended_at is None else now - max(0.0, time.time() - pool.ended_at)
        self._jobs[name] = job
        self.pools.add(Pool(name, pool.shape, pool.instance_type, pool.keep_seconds, since), now)

    def is_kept(self, name: str) -> bool:
        """Return whether the machines of an ended job may cost something yet."""
        return name in self._left or name in self.pools.pools

    def tend(self, now: float, waiting: Mapping[str, int], free_slots: int) -> None:
        """Look at the pools that are due, and end the ones that no job in the queue needs."""
        for pool in [pool for pool in self.pools.pools.values() if pool.look_at <= now]:
            if pool.state == PoolState.ENDING and now - pool.changed_at > ENDING_SECONDS:
                self._give_up(pool, now, "it is still there after two minutes")
                continue
            try:
                self._look(pool, now)
            except LauncherError as error:
                self._missed(pool, now, error)
        for pool in self.pools.unneeded(waiting, free_slots, now):
            self._end(pool, now)

    def collected(self, submission: Submission, record: dict[str, Any]) -> None:
        """Put into a job's record what is known of its machines; what they cost may be known later."""
        name = submission.name
        if earlier := self._machines_of.pop(name, None):
            record["warm_start_from"] = earlier
        if (settled := self._settled.pop(name, None)) is not None:
            _note(record, settled)
        elif self.is_kept(name):
            self._left[name], self._records[name] = submission, record

    def end_all(self, say: Callable[[str], None], *, waits_for_jobs: bool = False) -> list[Unended]:
        """End the pools that are there and learn what they cost, within a bound; return what was not ended.

        Args:
            waits_for_jobs: for pools of all jobs that run, which were told to stop; without it only for those of jobs that
                are stopping.
            say: gets a line about what is waited for.
        """
        ending = self._ending(waits_for_jobs=waits_for_jobs)
        seconds = STOP_SECONDS if self._asked else PATIENCE_SECONDS

        def waits(count: int) -> None:
            jobs = "1 job" if count == 1 else f"{count} jobs"
            say(f"waiting for up to {seconds / 60:.0f} minutes until the machines of {jobs} are given back; Ctrl-C leaves them")

        try:
            left = ending.finish(seconds, self.pools.look_seconds, self.clock, self.sleep, waits)
        except KeyboardInterrupt:
            ending.give_up("interrupted")
            left = ending.unended
        for one in left:
            self.pools.pools.pop(one.name, None)
            self._asked.pop(one.name, None)
        found, self.unended = [*self.unended.values(), *left], {}
        return found

    def _ending(self, *, waits_for_jobs: bool) -> PoolEnding:
        ending = PoolEnding(self.backend.pools, self._ended, waits_for_jobs=waits_for_jobs)
        for name, pool in self.pools.pools.items():
            ending.add(name, pool.keep_seconds, time.time() + pool.until - self.clock())
        for name, asked in self._asked.items():
            ending.add(name, asked.keep_seconds, None)
        return ending

    def _ended(self, name: str, found: WarmPool) -> None:
        if (asked := self._asked.get(name)) is not None:
            self._jobs[name] = asked.job
        try:
            self._settle(name, found)
        except OSError as error:  # a full disk: the other pools have to be ended too
            log.warning("what the machines of %s have cost could not be written down: %s", name, error)
        self.pools.pools.pop(name, None)
        self._asked.pop(name, None)

    def _look(self, pool: Pool, now: float) -> None:
        found = self.backend.pools.look(pool.name) or WarmPool("Terminated")
        has_none = self.backend.pools.has_none(found.instance_type)
        if not self.pools.seen(pool.name, found, now, has_none):
            if pool.without_status == 2 and not self._has_said_silent:
                self._has_said_silent = True
                seconds = SILENT_LOOKS * self.pools.look_seconds
                log.info("%s shows no warm pool yet; it is looked for, for %.0f s at most", pool.name, seconds)
            return
        if not found.status and found.had_machines and not found.has_failed:
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
        is_hopeless = isinstance(error, NotPermitted) or now - pool.added_at > ENDING_SECONDS
        if now > pool.until or (is_hopeless and not isinstance(error, (Throttled, Unreachable))):
            self._give_up(pool, now, str(error).splitlines()[0])

    def _give_up(self, pool: Pool, now: float, reason: str) -> None:
        submission = self._left.pop(pool.name, None)
        until = time.time() + pool.until - now
        self.unended[pool.name] = Unended(pool.name, until, pool.keep_seconds, reason)
        bill = self._records.pop(pool.name, {}).get("cost") or {}
        bound = {"kept_warm_usd_at_most": kept_usd(bill, pool.keep_seconds)} if submission is not None else {}
        self.ledger.append("warm_pool", name=pool.name, status="not ended", reason=reason, **bound)
        del self.pools.pools[pool.name]

    def _settle(self, name: str, found: WarmPool) -> None:
        """Write down what has become of a pool: in the ledger, and in the record of its job."""
        submission, record = self._left.pop(name, None), self._records.pop(name, None)
        job = submission.job if submission is not None else self._jobs.pop(name, None)
        if found.reused_by:
            self._machines_of[found.reused_by] = name
        if record is not None:
            _note(record, found)
        written = None if job is None else correct(job, name, lambda one: _note(one, found))
        told = {"status": found.status, "reused_by": found.reused_by, "kept_warm_seconds": found.kept_seconds}
        known = record if record is not None else written
        told["kept_warm_usd"] = kept_usd(known.get("cost") or {}, found.kept_seconds) if known is not None else None
        self.ledger.append("warm_pool", name=name, **{key: value for key, value in told.items() if value not in ("", None)})
        if record is not None and submission is not None:
            self.on_settled(submission, name, record)
            return
        self._settled[name] = found
        if written is not None:
            self.on_settled_earlier(told["kept_warm_usd"] or 0.0)


def _note(record: dict[str, Any], found: WarmPool) -> None:
    """Put a pool into a record. The bill is changed in place: a later attempt's record has it too."""
    if found.status:
        record["warm_pool"] = {"status": found.status} | ({"reused_by": found.reused_by} if found.reused_by else {})
    if cost := record.get("cost"):
        cost.update(with_kept(cost, found.kept_seconds))
