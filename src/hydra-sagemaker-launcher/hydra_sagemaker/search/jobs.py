"""The jobs of trials: one by one where the launcher is this one, in batches with any other."""

from __future__ import annotations

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from hydra.core.utils import JobReturn

from hydra_sagemaker.api.executor import Executor
from hydra_sagemaker.api.job import Job
from hydra_sagemaker.backends.base import Outcome
from hydra_sagemaker.errors import Cause, LauncherError, Throttled, Unreachable
from hydra_sagemaker.scheduling.tracker import Submission

log = logging.getLogger(__name__)


class Left(Enum):
    """Reasons why a job has no result here although nothing is wrong with it: the same command gets one."""

    SKIPPED = "hydra.launcher.max_failures is reached"
    STOPPED = "it was stopped, by a person or another program"
    AWAY = "its results could not be downloaded"


class Ended(NamedTuple):
    number: int
    returned: JobReturn
    reports: Mapping[int, float] = MappingProxyType({})
    """All that it reported."""
    name: str = ""
    seconds: float | None = None
    usd: float | None = None
    """The cost of all attempts."""
    is_pruned: bool = False
    """It was told to end, or ended itself with `Pruned` or optuna.TrialPruned."""
    left: Left | None = None


Hears = Callable[[int, int, float], bool]
"""Gets number, step and value of a report, and returns whether the trial is to end."""


class TrialJobs(Protocol):
    n_jobs: int
    """Trials at the same time."""
    hears: Hears
    """Is called with what a job in this process reports; other jobs are asked for their `reports`."""
    can_hear: bool = True
    """False where nothing is known of what jobs report."""

    @property
    @abstractmethod
    def open(self) -> set[int]:
        """The numbers of the jobs that were submitted and not `taken` yet."""
        ...

    @property
    @abstractmethod
    def free(self) -> int:
        """The number of further jobs that would begin at once."""
        ...

    @abstractmethod
    def submit(self, number: int, overrides: Sequence[str]) -> None:
        """Begin the job of a trial, or return to one that an earlier launch began.

        Raises:
            JobsRefused: these values make no job.
            TooExpensive: the budget has no room for it.
        """
        ...

    def expect_no_more(self) -> None:
        """Say that no further trial will begin."""

    def reports(self, number: int) -> dict[int, float]:
        """Return the values that a running job has reported so far, by step; none where it cannot be asked now."""
        return {}

    def prune(self, number: int) -> bool:
        """Tell a running job to end; False where it could not be told now."""
        return False

    @abstractmethod
    def wait(self) -> list[Ended]:
        """Return jobs that have ended, again and again until they are `taken`; none, after a while, where none has.

        An interruption may come before the search has taken note of them.
        """
        ...

    @abstractmethod
    def taken(self, number: int) -> None:
        """Forget a job that has ended; nothing happens to one that is forgotten already."""
        ...


def deaf(number: int, step: int, value: float) -> bool:
    return False


class LauncherJobs(TrialJobs):
    """Jobs of this launcher: a slot that is free takes the next trial at once, with jobs_per_machine that many trials."""

    def __init__(self, executor: Executor, n_jobs: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self.executor, self.n_jobs, self._sleep, self.hears = executor, n_jobs, sleep, deaf
        self._estimates: dict[str, float] = {}
        """US dollars of trials that were told before their bill was known, by the names of their jobs."""

    @property
    def open(self) -> set[int]:
        return {job.number for job in self.executor.jobs}

    @property
    def free(self) -> int:
        return min(self.executor.free_slots, self.n_jobs - len(self.executor.jobs))

    def submit(self, number: int, overrides: Sequence[str]) -> None:
        self.executor.queue(*overrides, number=number)
        if self.executor.jobs_per_machine == 1:  # else `wait` submits all that were queued, and they share machines
            self.executor.step()

    def expect_no_more(self) -> None:
        self.executor.expect_no_more()

    def reports(self, number: int) -> dict[int, float]:
        try:
            return self._job(number).reports()
        except (Throttled, Unreachable) as error:
            log.debug("%s", error)
            return {}

    def prune(self, number: int) -> bool:
        try:
            self._job(number).prune()
        except (Throttled, Unreachable) as error:
            log.debug("%s", error)
            return False
        return True

    def wait(self) -> list[Ended]:
        seconds = self.executor.step()
        late = self.executor._sweep.spending.late_bills
        corrections = [late[name] - usd for name, usd in self._estimates.items() if name in late]
        ended = [_ended(job, corrections) for job in self.executor.jobs if job.done]
        if not ended and seconds is None:
            raise LauncherError("no job is left to wait for, although trials run; the same command continues the search")
        if not ended and seconds:
            self._sleep(seconds)
        return ended

    def taken(self, number: int) -> None:
        for job in [job for job in self.executor.jobs if job.number == number]:
            self._settle(job)
            self.executor.forget(job)

    def _job(self, number: int) -> Job:
        return next(job for job in self.executor.jobs if job.number == number)

    def _settle(self, job: Job) -> None:
        cost, late = _record(job).get("cost") or {}, self.executor._sweep.spending.late_bills
        if cost.get("is_estimate"):
            self._estimates[job.name] = cost["cost_usd"]
        elif cost.get("cost_usd") is not None:
            self._estimates = {name: usd for name, usd in self._estimates.items() if name not in late}
            late.clear()


def _ended(job: Job, corrections: list[float]) -> Ended:
    submission, record = job._submission, _record(job)
    assert submission.returned is not None
    return Ended(
        job.number, submission.returned, job.reports(), job.name,
        record.get("seconds", record.get("TrainingTimeInSeconds")), _usd(record, corrections),
        submission.is_pruned, _left(submission, submission.outcome),
    )  # fmt: skip


def _usd(record: Mapping[str, Any], corrections: list[float]) -> float | None:
    """Return the cost of a trial. A told trial cannot be changed: what was not known of the earlier ones of a machine,
    `corrections`, is added to the first one that ends with it."""
    bills = [one.get("cost") or {} for one in (*record.get("earlier_attempts", ()), record)]
    known = [bill["cost_usd"] for bill in bills if bill.get("cost_usd") is not None]
    if known and not bills[-1].get("is_estimate"):
        known += corrections
        corrections.clear()
    return math.fsum(known) if known else None


def _record(job: Job) -> dict[str, Any]:
    outcome = job._submission.outcome
    return outcome.record if outcome is not None else {}


def _left(submission: Submission, outcome: Outcome | None) -> Left | None:
    if submission.is_skipped:
        return Left.SKIPPED
    if outcome is None or outcome.failure is None:
        return None
    if outcome.record.get("is_downloaded") is False:
        return Left.AWAY
    # with on_existing=reuse one that was stopped stays as it is
    is_stopped = outcome.failure.cause == Cause.STOPPED and not (submission.is_pruned or submission.is_reused)
    return Left.STOPPED if is_stopped else None
