"""The jobs of a sweep, found again from its directory: what the ledger says was done, and what the jobs say themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws.logs import CloudWatchLog, FileLog, Log
from hydra_sagemaker.backends.base import Backend, State, Status
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.tracker import REUSED, Submission, Tracker
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.hooks import call_collected
from hydra_sagemaker.sweep.manifest import Attempt, read_manifest

NOT_SUBMITTED = "not submitted; the same command submits it"


@dataclass
class JobStatus:
    job: Job
    attempt: Attempt
    status: Status
    record: dict[str, Any] | None
    """What was written down when somebody brought its results home, or tried to."""

    @property
    def runs(self) -> bool:
        return self.status.state == State.RUNNING

    @property
    def is_downloaded(self) -> bool:
        return self.record is not None and self.record.get("is_downloaded") is not False

    @property
    def has_failed(self) -> bool:
        """Where a job has ended, a result that could not be downloaded counts too."""
        record = self.record or {}
        return self.status.state.ended and (self.status.state != State.COMPLETED or "failure" in record)


class SubmittedSweep:
    """All its jobs, or those with the given numbers.

    Raises:
        LauncherError: it is no sweep's directory, or has no job of that number.
    """

    def __init__(self, directory: Path, numbers: Sequence[int] = ()) -> None:
        self.manifest = read_manifest(directory)
        jobs = {job.number: job for job in self.manifest.jobs()}
        if unknown := [str(number) for number in numbers if number not in jobs]:
            valid = ", ".join(map(str, jobs))
            raise LauncherError(f"{directory} has no job {', '.join(unknown)}; its jobs: {valid}")
        self.jobs = [job for number, job in jobs.items() if not numbers or number in numbers]
        self.poll_seconds = self.manifest.settings.poll_seconds or 20.0

    @cached_property
    def backend(self) -> Backend:
        """Made when somebody has to be asked: what is home can be seen without credentials."""
        return self.manifest.backend()

    @cached_property
    def tracker(self) -> Tracker:
        tracker = Tracker(self.backend, self.manifest.ledger, _refuse_to_submit, self.manifest.task_package)
        tracker.on_collected = lambda submission: call_collected(self.manifest.settings.collected, submission.job)
        for directory in (self.manifest.working_dir, self.manifest.root):  # where the application is imported from
            if str(directory) not in sys.path:
                sys.path.append(str(directory))
        return tracker

    def refresh(self) -> list[JobStatus]:
        """One, at what is not home; changes nothing."""
        from hydra_sagemaker.aws.clients import persistently

        attempts = self.manifest.attempts()
        seen = [_seen(job, attempts[job.number]) for job in self.jobs]
        asked = {one.attempt.name for one in seen if not one.is_downloaded and one.attempt.submitted is not None}
        if not asked:
            return seen
        statuses = persistently(lambda: self.backend.poll(sorted(asked)))
        for one in seen:
            if one.attempt.name in asked:
                one.status = statuses.get(one.attempt.name, Status(State.RUNNING, "no answer"))
        doubtful = [one for one in seen if one.status.state == State.LOST and not one.attempt.seen and not one.is_downloaded]
        existing = self.backend.existing([one.job for one in doubtful]) if doubtful else {}
        for one in doubtful:  # written down as about to be submitted, and then something happened
            newest = existing.get(one.job.key)
            if newest is None or newest.name != one.attempt.name:
                one.status = Status(State.WAITING, NOT_SUBMITTED)
        return seen

    def running(self, names: Collection[str]) -> list[str]:
        statuses = self.backend.poll(names)
        return [name for name in names if name not in statuses or not statuses[name].state.ended]

    def log(self, seen: JobStatus, lines: int) -> Log:
        name = seen.attempt.name
        if self.manifest.settings.mode == Mode.local:
            return FileLog(_output_dir(self.manifest.state_dir / name, seen.job) / ".job" / "output.log", lines=lines)
        file = seen.job.job_dir / "output.log"
        if seen.is_downloaded and file.is_file():
            return FileLog(file, lines=lines)
        from hydra_sagemaker.backends.sagemaker import SageMakerBackend

        assert isinstance(self.backend, SageMakerBackend)
        return CloudWatchLog(self.backend.clients.logs, name, lines=lines, hosts=seen.job.settings.instance_count)

    def collect(self, seen: JobStatus) -> JobStatus:
        submission = Submission(self.manifest.complete(seen.job), seen.attempt.name, REUSED, seen.status)
        earlier = self.tracker.earlier_attempts().get(seen.job.key, [])
        submission.attempts = [one for one in earlier if one["name"] != submission.name]
        self.tracker.collect(submission)
        return _seen(seen.job, seen.attempt)


def _seen(job: Job, attempt: Attempt) -> JobStatus:
    record = _record(job, attempt.name)
    if record is not None:
        return JobStatus(job, attempt, Status(State(record["state"]), str(record.get("detail") or "")), record)
    return JobStatus(job, attempt, Status(State.WAITING, NOT_SUBMITTED), None)


def _record(job: Job, name: str) -> dict[str, Any] | None:
    """Of this attempt."""
    try:
        record = json.loads((job.job_dir / "record.json").read_text(encoding="utf-8"))
        ended = State(record["state"]).ended
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if ended and record.get("name") == name else None


def _output_dir(state: Path, job: Job) -> Path:
    """Where a job of this machine runs: an earlier sweep's directory, if that has begun it."""
    try:
        return Path(json.loads((state / "where.json").read_text(encoding="utf-8"))["output_dir"])
    except (OSError, ValueError, KeyError):
        return job.output_dir


def _refuse_to_submit(job: Job, name: str) -> Any:
    raise AssertionError(f"{name}: only the sweep's own command submits")
