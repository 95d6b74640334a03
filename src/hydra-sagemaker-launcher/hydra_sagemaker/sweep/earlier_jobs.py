"""Finds jobs of earlier launches in a sweep's directory that still run: no launch may make the directory forget them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hydra_sagemaker.aws.clients import is_loopback, persistently
from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.tracker import NEW, Submission
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.manifest import PLACE, Attempt
from hydra_sagemaker.sweep.past_sweep import SubmittedSweep, is_collected

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 20.0
NAMED_AT_MOST = 10


class EarlierJobs:
    """The jobs that a directory's manifest names and this launch neither attaches to nor has submitted itself."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep, self.has_warned = sweep, False
        try:
            self.past: SubmittedSweep | None = SubmittedSweep(sweep.directory)
        except LauncherError:  # there is none, or one of another version: it names no job that could be asked about
            self.past = None
        self.doubtful = [] if self.past is None else list(_unfinished(self.past))

    def problems(self, submissions: Sequence[Submission], occupied: Sequence[str], reasons: Sequence[str]) -> Iterator[str]:
        """Yield a sentence about running jobs whose place these submissions would take; log the others once.

        `reasons` say why the submissions are other jobs.
        """
        if not self.doubtful or self.past is None:
            return
        is_elsewhere = self._is_elsewhere()
        kept = {one.name for one in submissions if one.origin != NEW} | self.sweep.tracker.active.keys()
        keys = set() if is_elsewhere else {one.job.key for one in submissions}
        asked = [(job, attempt) for job, attempt in self.doubtful if attempt.name not in kept and job.key not in keys]
        told = "\n".join(occupied)
        running = [(job, attempt) for job, attempt in asked if attempt.name not in told]
        try:
            running = self._running(running) if running else []
        except LauncherError as error:
            if self.past.manifest.settings.mode == Mode.sagemaker and is_loopback(self.past.manifest.settings.endpoint_url):
                self.doubtful = []  # the jobs of a local SageMaker end with it
                return
            yield (
                f"{_named(running)} may still run, and cannot be asked about: {str(error).splitlines()[0]}. "
                "Mend that, or give this sweep a directory of its own with hydra.sweep.dir"
            )
            return
        numbers, directories = {one.job.number for one in submissions}, {one.job.output_dir for one in submissions}
        replaced = [one for one in running if is_elsewhere or one[0].number in numbers or one[0].output_dir in directories]
        if replaced:
            yield "\n".join([self._refusal(replaced), *reasons])
        elif running and not self.has_warned:
            self.has_warned = True
            log.warning("%s still run%s beside this one; %s", _named(running), "s" if len(running) == 1 else "", self._ways())

    def _refusal(self, running: Sequence[tuple[Job, Attempt]]) -> str:
        verb = "runs" if len(running) == 1 else "run"
        return (
            f"{_named(running)} still {verb}, and this launch, whose jobs are others, would take the place: {self._ways()}, or "
            "give this sweep a directory of its own with hydra.sweep.dir"
        )

    def _ways(self) -> str:
        directory = self.sweep.directory
        return f"`hydra-sagemaker collect --wait {directory}` waits for them, `hydra-sagemaker stop {directory}` stops them"

    def _running(self, asked: Sequence[tuple[Job, Attempt]]) -> list[tuple[Job, Attempt]]:
        assert self.past is not None
        names, backend = sorted({attempt.name for _, attempt in asked}), self.past.backend
        statuses = persistently(lambda: backend.poll(names), patience_seconds=PATIENCE_SECONDS)
        ended = {name for name, status in statuses.items() if status.state.ended}
        self.doubtful = [one for one in self.doubtful if one[1].name not in ended]
        return [one for one in asked if one[1].name not in ended]

    def _is_elsewhere(self) -> bool:
        """Return whether the earlier jobs are in another account, region or kind of place, as far as settings tell."""
        assert self.past is not None
        before, now = self.past.manifest.settings, replace(self.sweep.settings, region=self.sweep.backend.region)
        return any(getattr(before, name) != getattr(now, name) for name in PLACE)


def _unfinished(past: SubmittedSweep) -> Iterator[tuple[Job, Attempt]]:
    attempts = past.manifest.attempts()
    for job in past.jobs:
        attempt = attempts[job.number]
        if attempt.submitted is not None and attempt.ended is None and not is_collected(job, attempt):
            yield job, attempt


def _named(jobs: Sequence[tuple[Job, Attempt]]) -> str:
    listed = (f"{attempt.name} ({' '.join(job.distinguishing_overrides) or job})" for job, attempt in jobs[:NAMED_AT_MOST])
    shown = ", ".join(listed)
    more = f" and {len(jobs) - NAMED_AT_MOST} more" if len(jobs) > NAMED_AT_MOST else ""
    return f"{counted(len(jobs), 'job')} of an earlier launch in this directory, {shown}{more},"
