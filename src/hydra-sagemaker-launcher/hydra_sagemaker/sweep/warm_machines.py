"""Leaves no machine warm behind: ends the pools of a sweep, whatever ends it, and finds those of an earlier launch."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.pool_ending import Unended
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import Mode, keep_warm_seconds
from hydra_sagemaker.sweep.lock import holder

if TYPE_CHECKING:
    from hydra_sagemaker.aws.warm_pools import WarmPool
    from hydra_sagemaker.backends.base import Backend
    from hydra_sagemaker.sweep.past_sweep import SubmittedSweep
    from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)
NAMED_AT_MOST = 5
END = "aws sagemaker update-training-job --resource-config KeepAlivePeriodInSeconds=0 --training-job-name"


def end_pools(sweep: Sweep, *, jobs_were_stopped: bool = False) -> None:
    """End the pools of this sweep and of earlier launches; log what is left to jobs that run, and what could not be ended."""
    try:
        if holder(sweep.directory) in (None, str(os.getpid())):  # else another launcher works with them
            find_earlier_pools(sweep, ())
    except LauncherError as error:
        log.warning("machines of an earlier launch may still be warm: %s", str(error).splitlines()[0])
    if "tracker" not in vars(sweep):  # nothing was planned, and nothing found
        return
    keeper = sweep.tracker.keeper
    keeper.pools.expects_more = False
    unended = keeper.end_all(lambda line: log.info("%s", line), waits_for_jobs=jobs_were_stopped)
    if left := [one for one in unended if one.is_left]:
        log.warning("%s", left_sentence(left, sweep.directory))
    if unended := [one for one in unended if not one.is_left]:
        log.error("%s", sentence(unended))


class PastPools:
    """The pools of a sweep that another process submitted; nothing happens where it keeps none.

    Args:
        say: gets a line about each pool that was ended, and about what is waited for.
    """

    def __init__(self, past: SubmittedSweep, say: Callable[[str], None]) -> None:
        self.past, self.say = past, say
        self.jobs = {job.key: job for job in past.jobs if keep_warm_seconds(job.settings)}
        self._names: list[str] = []

    def find(self) -> None:
        """Raises what the calls of a `Backend` raise."""
        if not self.jobs:
            return
        for name, pool in _live(self.past.backend, self.jobs.values()).items():
            self._names.append(name)
            self.past.tracker.keeper.found(name, pool, time.monotonic(), self.jobs[_key(name)])

    def ended(self, submission: Submission) -> None:
        """Take note of a job that has ended since `find`."""
        if submission.job.key in self.jobs:
            keeper = self.past.tracker.keeper
            keeper.started(submission)
            keeper.ended(submission, time.monotonic())

    def tend(self) -> None:
        """End what can be ended now."""
        if self.jobs:
            self.past.tracker.keeper.tend(time.monotonic(), {}, 0)

    def end(self, *, jobs_were_stopped: bool = False) -> list[Unended]:
        """End the pools, those of running jobs too where they were stopped; return what could not be ended.

        Of the ones that are left to jobs that run, `say` is told.
        """
        if not self.jobs:
            return []
        left = self.past.tracker.keeper.end_all(self.say, waits_for_jobs=jobs_were_stopped)
        still = {one.name for one in left}
        if runs_on := [one for one in left if one.is_left]:
            self.say(left_sentence(runs_on, self.past.manifest.directory))
        for name in self._names:
            if name not in still:
                self.say(f"the machines of {name} are not kept warm any more")
        return [one for one in left if not one.is_left]


def find_earlier_pools(sweep: Sweep, submissions: Sequence[Submission]) -> None:
    """Find pools of an earlier launch in this directory, once: they are used, or ended when no job here needs them."""
    if sweep.has_found_pools or sweep.settings.mode != Mode.sagemaker:
        return
    past = sweep.earlier.past
    jobs = [*(one.job for one in submissions if one.attempts or one.origin != "new"), *([] if past is None else past.jobs)]
    if any(keep_warm_seconds(job.settings) for job in jobs):
        by_key = {job.key: job for job in jobs}
        for name, pool in _live(sweep.backend, jobs).items():
            sweep.tracker.keeper.found(name, pool, time.monotonic(), by_key[_key(name)])
    sweep.has_found_pools = True


def left_sentence(left: Sequence[Unended], directory: Path) -> str:
    """Say for how long the machines of jobs that run on will be kept after their ends, and what to type."""
    minutes = max(one.keep_seconds for one in left) / 60
    jobs = "1 job that runs on stay" if len(left) == 1 else f"{len(left)} jobs that run on stay"
    return (
        f"the machines of {jobs} warm for up to {minutes:g} minutes after its end, and cost money: SageMaker ends a warm pool "
        f"only after its job. The same command, or `hydra-sagemaker collect --wait {directory}`, gives them back"
    ).replace("its end", "its end" if len(left) == 1 else "their ends")


def sentence(unended: Sequence[Unended]) -> str:
    """Say which machines are kept warm although they should not be, for how long they cost something, and what to type."""
    lines = []
    for one in unended[:NAMED_AT_MOST]:
        minutes = f"{one.keep_seconds / 60:g} minutes after its end"
        until = minutes if one.until is None else time.strftime("%H:%M", time.localtime(one.until))
        lines += [f"  {one.name}, at most until {until}: {one.reason}", f"    {END} {one.name}"]
    more = [f"  and {len(unended) - NAMED_AT_MOST} more"] * (len(unended) > NAMED_AT_MOST)
    verb = "is" if len(unended) == 1 else "are"
    head = f"the machines of {counted(len(unended), 'job')} {verb} kept warm and cost money, and could not be given back:"
    return "\n".join([head, *lines, *more])


def _live(backend: Backend, jobs: Collection[Job]) -> dict[str, WarmPool]:
    keys = {job.key for job in jobs}
    found = backend.pools.live({job.slug for job in jobs})
    return {name: pool for name, pool in found.items() if _key(name) in keys}


def _key(name: str) -> str:
    return (parse_job_name(name) or ("", 0))[0]
