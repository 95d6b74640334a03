"""Finds the jobs of a sweep again from its directory: the ledger says what was done, the jobs say how they are."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra_sagemaker.aws import price_list
from hydra_sagemaker.aws.clients import persistently
from hydra_sagemaker.backends.base import Backend, State, Status
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.files import read_json
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.prices import Prices, prices_of
from hydra_sagemaker.scheduling.tracker import ATTACHED, REUSED, Submission, Tracker
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.hooks import call_collected
from hydra_sagemaker.sweep.manifest import Attempt, read_manifest

ENDED = [state.value for state in State if state.ended]
NOT_SUBMITTED = "not submitted; the same command submits it"


@dataclass
class JobStatus:
    job: Job
    attempt: Attempt
    status: Status
    record: dict[str, Any] | None
    """The record written when the job was collected; None before."""

    @property
    def runs(self) -> bool:
        return self.status.state == State.RUNNING

    @property
    def is_collected(self) -> bool:
        return self.record is not None and self.record.get("is_downloaded") is not False

    @property
    def awaits_bill(self) -> bool:
        """True where the cost is an estimate: it was collected while the machine that it shares still ran."""
        return bool(((self.record or {}).get("cost") or {}).get("is_estimate"))

    @property
    def has_failed(self) -> bool:
        """Tell whether it has ended badly; a result that could not be downloaded counts too."""
        return self.status.state.ended and (self.status.state != State.COMPLETED or "failure" in (self.record or {}))


class SubmittedSweep:
    """All jobs of a sweep, or those with the given numbers.

    Raises:
        LauncherError: the directory is no sweep's, or has no job of that number.
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
        """Made when a job has to be asked about: collected jobs need no credentials."""
        manifest = self.manifest
        if manifest.settings.mode == Mode.local:
            from hydra_sagemaker.backends.local import LocalBackend

            return LocalBackend(manifest.settings, manifest.state_dir, manifest.root, manifest.working_dir, None)
        from hydra_sagemaker.backends.sagemaker import SageMakerBackend

        return SageMakerBackend(manifest.settings, None, None)

    @cached_property
    def prices(self) -> Prices:
        """The prices given by the user, AWS's of the last day, else the table: nobody is asked."""
        prices = prices_of(self.manifest.settings)
        price_list.recall(prices, self.manifest.settings.region)
        return prices

    @cached_property
    def tracker(self) -> Tracker:
        tracker = Tracker(self.backend, self.manifest.ledger, None, self.manifest.task_package)
        tracker.on_collected = lambda submission: call_collected(self.manifest.settings.collected, submission.job)
        tracker.keeper.on_settled = lambda submission, name, record: tracker.on_collected(submission)
        for directory in (self.manifest.working_dir, self.manifest.root):  # where the application is imported from
            if str(directory) not in sys.path:
                sys.path.append(str(directory))
        return tracker

    def refresh(self) -> list[JobStatus]:
        """Ask once about every job that is not collected; changes nothing."""
        attempts = self.manifest.attempts()
        found = [_status(job, attempts[job.number]) for job in self.jobs]
        submitted = {one.attempt.name: one.attempt.submitted for one in found if not one.is_collected}
        asked = {name: time for name, time in submitted.items() if time is not None}
        if not asked:
            return found
        statuses = persistently(lambda: self.backend.statuses(sorted(asked), min(asked.values())))
        for one in found:
            if one.attempt.name in asked:
                one.status = statuses.get(one.attempt.name, Status(State.RUNNING, "no answer"))
        doubtful = [one for one in found if one.status.state == State.LOST and not one.attempt.seen and not one.is_collected]
        existing = self.backend.existing([one.job for one in doubtful]) if doubtful else {}
        for one in doubtful:  # the ledger says that it was to be submitted, and then something happened
            newest = existing.get(one.job.key)
            if newest is None or newest.name != one.attempt.name:
                one.status = Status(State.WAITING, NOT_SUBMITTED)
        return found

    def running(self, names: Collection[str]) -> list[str]:
        statuses = self.backend.poll(names)
        return [name for name in names if name not in statuses or not statuses[name].state.ended]

    def submission(self, one: JobStatus) -> Submission:
        """Return the job as the tracker knows it, with the configuration that its collection needs."""
        origin = ATTACHED if one.runs else REUSED
        submission = Submission(self.manifest.complete(one.job), one.attempt.name, origin, one.status)
        self.tracker.recall([submission])
        return submission

    def collect(self, one: JobStatus, submission: Submission | None = None) -> JobStatus:
        self.tracker.collect(submission or self.submission(one))
        return _status(one.job, one.attempt)


def is_collected(job: Job, attempt: Attempt) -> bool:
    return _status(job, attempt).is_collected


def _status(job: Job, attempt: Attempt) -> JobStatus:
    record = read_json(job.job_dir / "record.json")
    if isinstance(record, dict) and record.get("name") == attempt.name and record.get("state") in ENDED:
        return JobStatus(job, attempt, Status(State(record["state"]), str(record.get("detail") or "")), record)
    return JobStatus(job, attempt, Status(State.WAITING, NOT_SUBMITTED), None)  # another attempt or nothing was collected
