"""A job as Python code sees it: its state, result, output, and its end; the jobs of an earlier sweep, from its directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hydra.core.utils import JobStatus

from hydra_sagemaker.backends.base import Backend, State
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.scheduling.job_returns import past_return
from hydra_sagemaker.scheduling.loop import EventLoop
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.sweep.lock import locked
from hydra_sagemaker.sweep.past_sweep import SubmittedSweep

Guard = Callable[[], AbstractContextManager[None]]
"""Keeps other launchers out while something is done."""


class Job:
    """One job, made by `Executor.submit` or `attach`.

    Example:
        >>> job = executor.submit("x=3")
        >>> job.state
        'running'
        >>> job.result()
        30
    """

    def __init__(self, submission: Submission, loop: EventLoop, backend: Callable[[], Backend], guard: Guard) -> None:
        self._submission, self._loop, self._backend, self._guard = submission, loop, backend, guard
        self._is_cancelled = False
        self.number: int = submission.job.number
        """Number within the sweep."""
        self.overrides: tuple[str, ...] = submission.job.overrides
        self.output_dir: Path = submission.job.output_dir

    def __repr__(self) -> str:
        return f"<{self._submission.job}: {self._submission.status.state.value}>"

    @property
    def name(self) -> str:
        """Name of the newest attempt, in SageMaker that of the training job."""
        return self._submission.name

    @property
    def done(self) -> bool:
        """True once the result is here, without asking anything.

        Example:
            >>> [job.result() for job in executor.jobs if job.done]
        """
        return self._submission.returned is not None

    @property
    def state(self) -> str:
        """"waiting", "running", "completed", "failed", "stopped" or "lost"; asks the service when a poll is due.

        Example:
            >>> job.state
            'waiting'
        """  # fmt: skip
        self.step()
        returned, state = self._submission.returned, self._submission.status.state
        failed = returned is not None and returned.status == JobStatus.FAILED and state == State.COMPLETED
        if self._is_cancelled and state == State.LOST:  # it was killed before it could write down how it ended
            return State.STOPPED.value
        return State.FAILED.value if failed else state.value

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job, at most `timeout` seconds, and return its value.

        Raises:
            TimeoutError: it has not ended by then.
            Exception: the one that ended the job, with the job's traceback as its cause; RemoteJobError where it cannot be
                rebuilt here.

        Example:
            >>> executor.submit("x=three").result()
            Traceback (most recent call last):
            ValueError: x=three is no number
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not self.done:
            seconds = self.step()
            if self.done:
                break
            if seconds is None:
                raise LauncherError(f"{self._submission.job} was not submitted: run the command of its sweep again")
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{self._submission.job} is still {self._submission.status.state.value}")
            time.sleep(max(0.0, min(seconds, deadline - time.monotonic())))
        returned = self._submission.returned
        assert returned is not None
        if returned.status == JobStatus.FAILED:
            raise returned._return_value
        return returned._return_value

    def logs(self, lines: int = 1000) -> str:
        """Return the last `lines` lines that the job has printed so far, "" before it prints anything.

        Example:
            >>> print(job.logs(lines=2))
            epoch 2: loss 0.31
            epoch 3: loss 0.24
        """
        if self._submission.status.state == State.WAITING:
            return ""
        log = self._backend().log(self._submission.job, self.name, lines=lines, is_collected=self.done)
        return "\n".join(log.new_lines(ended=True))

    def cancel(self) -> None:
        """Stop the job if it runs, or take it out of the queue; nothing happens to one that has ended.

        One that shares a machine ends with it, when all of its jobs that have not ended are cancelled: a warning says so.

        Raises:
            LauncherError: the service could not be told, or the job shares the run of another one.

        Example:
            >>> job.cancel()
            >>> job.result()
            Traceback (most recent call last):
            RemoteJobError: job 3 (x=3): it was stopped
        """
        with self._guard():
            self._is_cancelled = True
            self._loop.cancel(self._submission)

    def reports(self) -> dict[int, float]:
        """Return the values that the job has told with `report` so far, by step.

        Raises:
            Throttled, Unreachable: they could not be read now.

        Example:
            >>> job.reports()
            {0: 0.61, 1: 0.66}
        """
        from hydra_sagemaker.reports import FILE, read_reports

        if self.done:
            file = self.output_dir / FILE
            return read_reports(file.read_bytes()) if file.is_file() else {}
        if self._submission.status.state == State.WAITING:
            return {}
        return read_reports(self._backend().reports(self._submission.job, self.name))

    def prune(self) -> None:
        """Tell the job to end, without waiting for it: its record says that it was pruned. Raises as `reports` does.

        Example:
            >>> if study_says_so:
            ...     job.prune()
        """
        self._loop.prune(self._submission)

    def step(self) -> float | None:
        """Do what is due now for all jobs of the sweep; return the seconds until something else may be, None when nothing is.

        Example:
            >>> seconds = job.step()
        """
        with self._guard():
            return self._loop.step()


def attach(directory: str | Path) -> list[Job]:
    """Return the jobs of a sweep that another process submitted, from hydra.sweep.dir alone.

    Raises:
        LauncherError: it is no directory of a sweep; from the jobs' methods: a launcher still works in it.

    Example:
        >>> [job.state for job in attach("multirun/2026-11-29/16-05-00")]
        ['completed', 'running']
    """
    sweep = SubmittedSweep(Path(directory))
    loop = EventLoop(sweep.tracker, [], Scheduler(len(sweep.jobs) or 1, sweep.poll_seconds))
    jobs = []
    for one in sweep.refresh():
        submission = sweep.submission(one)
        if one.is_collected and one.record is not None:
            submission.returned = past_return(
                submission.job, submission.name, submission.status, one.record, sweep.manifest.task_package
            )
        elif one.status.state != State.WAITING:
            loop.add(submission)
        jobs.append(Job(submission, loop, lambda: sweep.backend, lambda: locked(sweep.manifest.directory, "use its results")))
    return jobs
