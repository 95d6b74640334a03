"""Finds the jobs of an earlier sweep from its directory."""

from __future__ import annotations

from pathlib import Path

from hydra_sagemaker.api.job import Job
from hydra_sagemaker.backends.base import State
from hydra_sagemaker.scheduling.job_returns import past_return
from hydra_sagemaker.scheduling.loop import EventLoop, SystemClock
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.sweep.lock import locked
from hydra_sagemaker.sweep.past_sweep import SubmittedSweep


def attach(directory: str | Path) -> list[Job]:
    """Return the jobs of a sweep that another process submitted, from hydra.sweep.dir alone.

    Raises:
        LauncherError: it is no directory of a sweep; from the jobs' methods: a launcher still works in it.

    Example:
        >>> [job.state for job in attach("multirun/2026-11-29/16-05-00")]
        ['completed', 'running']
    """
    sweep = SubmittedSweep(Path(directory))
    loop = EventLoop(sweep.tracker, [], Scheduler(len(sweep.jobs) or 1, sweep.poll_seconds), SystemClock())
    jobs = []
    for one in sweep.refresh():
        submission = sweep.submission(one)
        if one.is_collected and one.record is not None:
            submission.returned = past_return(submission.job, submission.name, one.record, sweep.manifest.task_package)
        elif one.status.state != State.WAITING:
            loop.add(submission)
        jobs.append(Job(submission, loop, lambda: sweep.backend, lambda: locked(sweep.manifest.directory, "use its results")))
    return jobs
