"""Plans, submits, polls and collects jobs, and writes each step to the ledger before it is done. `loop` says when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from hydra_sagemaker.backends.base import Backend, Existing, Outcome, State, Status
from hydra_sagemaker.errors import Cause, Failure, LauncherError, NotPermitted, SubmissionRefused
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.scheduling.job_returns import SubmittedJob, job_return, return_of
from hydra_sagemaker.scheduling.ledger import Ledger, failed_attempts
from hydra_sagemaker.scheduling.pool_keeper import PoolKeeper
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.settings import OnExisting, RetriesConf, keeps_checkpoints

log = logging.getLogger(__name__)
NEW, ATTACHED, REUSED = "new", "attached", "reused"


@dataclass(eq=False)
class Submission:
    job: Job
    name: str
    origin: str
    """new, attached (it was running) or reused (it had ended)."""
    status: Status
    fresh: bool = False
    """Begins anew although an earlier attempt kept checkpoints."""
    outcome: Outcome | None = None
    failure: Failure | None = None
    """Why it could not be submitted."""
    is_pruned: bool = False
    """Told to end by the search whose trial it is."""
    is_skipped: bool = False
    """Not submitted, since enough others had failed."""
    duplicate_of: int | None = None
    """Number of the job whose run this one shares."""
    duplicates: list[Submission] = field(default_factory=list, repr=False)
    """Jobs that share this run."""
    returned: JobReturn | None = field(default=None, repr=False)
    """Set once the results are collected, or the launcher detaches from the job."""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """The records of attempts that ended before this one."""

    @property
    def is_reused(self) -> bool:
        return self.origin == REUSED

    @property
    def kind(self) -> str:
        """The kind of machine that a quota is for."""
        settings = self.job.settings
        return f"{settings.instance_type}{' spot' if settings.spot else ''}"


class Tracker:
    def __init__(
        self,
        backend: Backend,
        ledger: Ledger,
        spec_of: Callable[[Job, str], Spec] | None,
        task_package: str | None,
        retries: Retries | None = None,
        may_cost: Callable[[Mapping[str, Job]], str | None] = lambda attempts: None,
    ) -> None:
        self.backend, self.ledger, self.spec_of, self.task_package = backend, ledger, spec_of, task_package
        self.retries = retries or Retries(RetriesConf(0, 0, 0), 0)
        self.may_cost = may_cost
        """Returns the reason why further attempts, jobs by the attempts' names, would cost too much."""
        self.on_collected: Callable[[Submission], None] = lambda submission: None
        self.keeper = PoolKeeper(backend, ledger)
        self.active: dict[str, Submission] = {}
        self.failed = 0
        """Jobs of this launch that have failed for good, those of a sweeper's earlier batches among them."""

    def plan(self, jobs: Sequence[Job], on_existing: OnExisting) -> list[Submission]:
        """Decide what each job will be: new, attached or reused. Nothing is done yet.

        Raises:
            SubmissionRefused: jobs that ran before, with `on_existing=fail`, or run now, with `on_existing=rerun`.
        """
        existing = self.backend.existing(jobs)
        problems = []
        for job in jobs:  # a second run beside a running one would write to the same files
            found = existing.get(job.key)
            if found is not None and on_existing == OnExisting.fail:
                problems.append(f"{job} exists as {found.name}: hydra.launcher.on_existing=retry_failed continues with them")
            elif found is not None and on_existing == OnExisting.rerun and not found.status.state.ended:
                way = "stop it, or hydra.launcher.on_existing=retry_failed attaches to it"
                problems.append(f"{job} still runs as {found.name}: {way}")
        if problems:
            raise SubmissionRefused(problems)
        planned = [self._planned(job, existing.get(job.key), on_existing) for job in jobs]
        self.recall([one for one in planned if (parse_job_name(one.name) or ("", 0))[1] > 0])
        return planned

    def recall(self, submissions: Sequence[Submission]) -> None:
        """Give jobs their failed attempts, as earlier launches in this directory have written them down."""
        if not submissions:
            return
        found = failed_attempts(self.ledger.read())
        for submission in submissions:
            earlier = found.get(submission.job.key, {})
            submission.attempts = [attempt for name, attempt in earlier.items() if name != submission.name]

    def submit(self, submission: Submission) -> None:
        """Submit an attempt; needs `spec_of`, which only the sweep's own command has.

        Raises:
            QuotaExceeded, Throttled, Unreachable: not now; it may be tried again.
            LauncherError: never like this.
        """
        job, name = submission.job, submission.name
        assert self.spec_of is not None
        spec = self.spec_of(job, name)
        self.backend.prepare(job, name, spec)
        self._write("submit", submission, output_dir=str(job.output_dir))
        self.active[name] = submission  # before the call: if that is interrupted, the job may be there
        self.keeper.started(submission)
        try:
            is_new = self.backend.submit(job, name, spec, fresh=submission.fresh)
        except Exception:
            del self.active[name]
            self.keeper.not_started(submission)
            raise
        if not is_new:
            submission.origin = ATTACHED  # another launcher, or this one before it was killed
        submission.status = Status(State.RUNNING)

    def attach(self, submission: Submission) -> None:
        self._write(submission.origin, submission)
        if not submission.status.state.ended:
            self.active[submission.name] = submission
            self.keeper.started(submission)

    def poll(self) -> list[Submission]:
        """Return the jobs whose status has changed, and all that have ended and were not `delivered` yet."""
        changed = []
        for name, status in self.backend.poll(list(self.active)).items():
            submission = self.active[name]
            if status != submission.status:
                self.ledger.append("status", name=name, state=status.state.value, detail=status.detail)
                submission.status = status
                changed.append(submission)
            elif status.state.ended:
                changed.append(submission)
        return changed

    def delivered(self, changed: Sequence[Submission]) -> None:
        """Forget the ended ones: the caller has taken note of them. An interruption before that must not lose them."""
        for submission in changed:
            if submission.status.state.ended:
                self.active.pop(submission.name, None)

    def collect(self, submission: Submission) -> JobReturn:
        """Bring the results to the job's output directory; whatever goes wrong is a failed job, never an exception."""
        outcome = self._outcome(submission)
        submission.outcome = outcome
        self.active.pop(submission.name, None)
        if submission.duplicate_of is not None:
            outcome.record.pop("cost", None)  # there is one bill for both
            outcome.record["same_as"] = submission.duplicate_of
        elif submission.attempts:
            outcome.record["earlier_attempts"] = submission.attempts
        if submission.is_pruned and not outcome.is_completed:
            outcome.record["pruned"] = True
        self.keeper.collected(submission, outcome.record)
        returned = job_return(submission.job, submission.name, outcome, self.task_package)
        self._write("collected", submission, status=returned.status.name.lower(), **_ending(outcome))
        self.on_collected(submission)
        return returned

    def _outcome(self, submission: Submission) -> Outcome:
        if submission.failure is not None:
            return Outcome(Status(State.FAILED, "not submitted"), None, submission.failure)
        try:
            return self.backend.collect(submission.job, submission.name, submission.status)
        except Exception as error:  # the network, the disk: the other jobs' results shall not be lost with this one's
            if isinstance(error, NotPermitted) and error.failure and error.failure.cause == Cause.CREDENTIALS:
                raise  # none could be had; the same command collects them, once the credentials are good again
            message = f"its results could not be downloaded: {type(error).__name__}: {error}"
            cause = error.failure.cause if isinstance(error, LauncherError) and error.failure else Cause.INFRASTRUCTURE
            failure = Failure(cause, message, "the same command again collects them")
            return Outcome(submission.status, None, failure, record={"is_downloaded": False})

    def retried_after(self, submission: Submission) -> float | None:
        """Prepare the next attempt of a job that ended badly; return the seconds to wait, None if it is not submitted again."""
        outcome = submission.outcome
        if submission.failure or outcome is None or outcome.failure is None or submission.is_reused:
            return None
        if outcome.record.get("is_downloaded") is False or submission.is_pruned:
            return None
        job, failure = submission.job, outcome.failure
        delay = self.retries.delay(job.key, failure.cause, keeps_checkpoints=keeps_checkpoints(job.settings))
        if delay is None:
            return None
        key_and_attempt = parse_job_name(submission.name)
        assert key_and_attempt is not None
        name = job.name(key_and_attempt[1] + 1)
        if refusal := self.may_cost({name: job}):
            log.warning("%s is not tried again: %s", job, refusal)
            return None
        submission.attempts.append({"name": submission.name} | _ending(outcome))
        submission.name, submission.origin, submission.fresh, submission.outcome = name, NEW, False, None
        submission.status = Status(State.WAITING, f"again in {delay:.0f} s, {failure.cause.value}")
        log.warning("%s: %s; %s in %.0f s", job, failure.message.splitlines()[0], submission.name, delay)
        return delay

    def detached(self, submission: Submission) -> JobReturn:
        """Return a handle of a job that runs on after the launcher has ended."""
        self._write("detached", submission)
        return return_of(submission.job, submission.name, JobStatus.COMPLETED, SubmittedJob(submission.name))

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """Stop these attempts, by default all that run; return the names of the jobs that could not be told."""
        stopped = list(self.active if names is None else names)
        self.ledger.append("stop", names=stopped)
        return self.backend.stop(stopped)

    def _write(self, event: str, submission: Submission, **values: Any) -> None:
        job = submission.job
        self.ledger.append(event, job=job.number, name=submission.name, key=job.key, **values)

    def _planned(self, job: Job, existing: Existing | None, on_existing: OnExisting) -> Submission:
        if existing is None:
            return Submission(job, job.name(0), NEW, Status(State.WAITING))
        state = existing.status.state
        if on_existing != OnExisting.rerun:
            if state == State.RUNNING:
                return Submission(job, existing.name, ATTACHED, existing.status)
            if state == State.COMPLETED or on_existing == OnExisting.reuse:
                return Submission(job, existing.name, REUSED, existing.status)
        return Submission(job, job.name(existing.attempt + 1), NEW, Status(State.WAITING), on_existing == OnExisting.rerun)


def _ending(outcome: Outcome) -> dict[str, Any]:
    """Return the cause of a failure and the cost, as far as there are any."""
    found = {"cause": outcome.failure and outcome.failure.cause.value, "cost": outcome.record.get("cost")}
    return {name: value for name, value in found.items() if value}
