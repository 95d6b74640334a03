"""The jobs of trials: one by one where the launcher is this one, in batches with any other."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import NamedTuple, Protocol

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from hydra_sagemaker.api.executor import Executor
from hydra_sagemaker.api.job import Job
from hydra_sagemaker.errors import Throttled, Unreachable
from hydra_sagemaker.reports import listening

log = logging.getLogger(__name__)


class Ended(NamedTuple):
    number: int
    returned: JobReturn
    reports: Mapping[int, float] = MappingProxyType({})
    """All that it reported."""
    name: str = ""
    seconds: float | None = None
    usd: float | None = None


Hears = Callable[[int, int, float], bool]
"""Gets number, step and value of a report, and returns whether the trial is to end."""


class TrialJobs(Protocol):
    n_jobs: int
    """Trials at the same time."""
    hears: Hears
    """Is called with what a job in this process reports; other jobs are asked for their `reports`."""

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
        """Return jobs that have ended; none, after a while, where none has."""
        ...


def deaf(number: int, step: int, value: float) -> bool:
    return False


class LauncherJobs(TrialJobs):
    """Jobs of this launcher: a slot that is free takes the next trial at once."""

    def __init__(self, executor: Executor, n_jobs: int, sleep: Callable[[float], None] = time.sleep) -> None:
        self.executor, self.n_jobs, self._sleep, self.hears = executor, n_jobs, sleep, deaf
        self._open: dict[int, Job] = {}

    @property
    def free(self) -> int:
        return min(self.executor.free_slots, self.n_jobs - len(self._open))

    def submit(self, number: int, overrides: Sequence[str]) -> None:
        self._open[number] = self.executor.submit(*overrides, number=number)

    def expect_no_more(self) -> None:
        self.executor.expect_no_more()

    def reports(self, number: int) -> dict[int, float]:
        try:
            return self._open[number].reports()
        except (Throttled, Unreachable) as error:
            log.debug("%s", error)
            return {}

    def prune(self, number: int) -> bool:
        try:
            self._open[number].prune()
        except (Throttled, Unreachable) as error:
            log.debug("%s", error)
            return False
        return True

    def wait(self) -> list[Ended]:
        seconds = self.executor.step()
        ended = [self._ended(number) for number in [number for number, job in self._open.items() if job.done]]
        if not ended and seconds:
            self._sleep(seconds)
        return ended

    def _ended(self, number: int) -> Ended:
        job = self._open.pop(number)
        reports = job.reports()
        returned, record = self.executor.forget(job)
        return Ended(number, returned, reports, job.name, record.get("seconds"), (record.get("cost") or {}).get("cost_usd"))


class BatchJobs(TrialJobs):
    """Jobs of another launcher, which takes several and returns when the last of them has ended."""

    def __init__(self, launcher: Launcher, n_jobs: int) -> None:
        self.launcher, self.n_jobs, self.hears = launcher, n_jobs, deaf
        self._queued: list[tuple[int, tuple[str, ...]]] = []

    @property
    def free(self) -> int:
        return self.n_jobs - len(self._queued)

    def submit(self, number: int, overrides: Sequence[str]) -> None:
        self._queued.append((number, tuple(overrides)))

    def wait(self) -> list[Ended]:
        """Launch what is queued; a launcher numbers the jobs of a batch from the first on."""
        first = self._queued[0][0]
        batch = [one for place, one in enumerate(self._queued) if one[0] == first + place]
        started = time.monotonic()
        with listening(lambda step, value: self.hears(first, step, value)) if len(batch) == 1 else nullcontext():
            returns = self.launcher.launch([overrides for _, overrides in batch], initial_job_idx=first)
        self._queued = self._queued[len(batch) :]
        seconds = time.monotonic() - started if len(batch) == 1 else None
        return [Ended(number, returned, seconds=seconds) for (number, _), returned in zip(batch, returns, strict=True)]
