"""Plans, submits, polls and collects jobs, and writes each step to the ledger before it is done. `loop` says when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from hydra_sagemaker.backends.base import Backend, Existing, Outcome, State, Status
from hydra_sagemaker.errors import Cause, Failure, LauncherError, NotPermitted, SubmissionRefused
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import has_pruned_itself
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.scheduling.bills import OpenBills, Settled, ending
from hydra_sagemaker.scheduling.job_returns import LaunchedReturn, SubmittedJob, job_return
from hydra_sagemaker.scheduling.ledger import Ledger, failed_attempts
from hydra_sagemaker.scheduling.pool_keeper import PoolKeeper
from hydra_sagemaker.scheduling.retries import Retries
from hydra_sagemaker.scheduling.submission import ATTACHED, NEW, REUSED, Submission
from hydra_sagemaker.settings import OnExisting, RetriesConf, keeps_checkpoints

log = logging.getLogger(__name__)


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
        self.on_billed: Settled = lambda submission, name, cost: None
        """Is called with the final cost of an attempt that was collected before its machine ended."""
        self._bills = OpenBills(backend)
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

    def submit(self, submission: Submission, companions: Sequence[Submission] | None = None) -> list[Submission]:
        """Submit an attempt; needs `spec_of`, which only the sweep's own command has.

        `companions` are to share its machine; return the ones that do. None where no jobs share machines.

        Raises:
            QuotaExceeded, Throttled, Unreachable: not now; it may be tried again.
            LauncherError: never like this.
        """
        assert self.spec_of is not None
        if companions is not None:
            known = self.backend.machines_of([one.name for one in (submission, *companions)])
            if submission.name in known:  # another launcher has submitted it meanwhile
                submission.machine, submission.origin = known[submission.name], ATTACHED
                submission.status = Status(State.RUNNING)
                self.attach(submission)
                return []
            companions = [one for one in companions if one.name not in known]
        together = [submission, *(companions or ())]
        specs = [(one.job, one.name, self.spec_of(one.job, one.name)) for one in together]
        if len(together) == 1:
            self.backend.prepare(*specs[0])
        shared = {"shared_by": len(together)} if len(together) > 1 else {}
        for one in together:
            self._write("submit", one, output_dir=str(one.job.output_dir), **shared)
            self.active[one.name] = one  # before the call: if that is interrupted, the job may be there
        if len(together) == 1:
            self.keeper.started(submission)
        machine = ""
        try:
            if len(together) > 1:
                machine, is_new = self.backend.submit_together(specs)
            else:
                is_new = self.backend.submit(*specs[0], fresh=submission.fresh)
        except Exception:
            for one in together:
                del self.active[one.name]
            self.keeper.not_started(submission)
            raise
        self.keeper.submitted(submission)
        for one in together:
            one.machine, one.status = machine, Status(State.RUNNING)
            if not is_new:
                one.origin = ATTACHED  # another launcher, or this one before it was killed
        return together[1:]

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
        submission.is_pruned |= has_pruned_itself(outcome.result)
        self.active.pop(submission.name, None)
        if submission.duplicate_of is not None:
            outcome.record.pop("cost", None)  # there is one bill for both
            outcome.record["same_as"] = submission.duplicate_of
        elif submission.attempts:
            outcome.record["earlier_attempts"] = submission.attempts
        if submission.is_pruned and not outcome.is_completed:
            outcome.record["pruned"] = True
        if submission.duplicate_of is None:
            self.keeper.collected(submission, outcome.record)
        returned = job_return(submission.job, submission.name, outcome, self.task_package)
        self._write("collected", submission, status=returned.status.name.lower(), **ending(outcome))
        self.on_collected(submission)
        if submission.duplicate_of is None:
            self._bills.note(submission, self._billed)
        return returned

    def _billed(self, submission: Submission, name: str, cost: dict[str, Any]) -> None:
        self.ledger.append("billed", job=submission.job.number, name=name, key=submission.job.key, cost=cost)
        self.on_billed(submission, name, cost)

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

    def retried_after(self, submission: Submission, others_in: float | None = None) -> float | None:
        """Prepare the next attempt of a job that ended badly; return the seconds to wait, None if it is not submitted again.

        `others_in` are the seconds until others of its machine are tried again, which may then share the next one.
        """
        outcome = submission.outcome
        if submission.failure or outcome is None or outcome.failure is None or submission.is_reused:
            return None
        if outcome.record.get("is_downloaded") is False or submission.is_pruned or submission.is_cancelled:
            return None
        job, failure = submission.job, outcome.failure
        delay = self.retries.delay(job.key, failure.cause, keeps_checkpoints=keeps_checkpoints(job.settings))
        if delay is None:
            return None
        delay = delay if others_in is None else others_in
        key_and_attempt = parse_job_name(submission.name)
        assert key_and_attempt is not None
        name = job.name(key_and_attempt[1] + 1)
        if refusal := self.may_cost({name: job}):
            log.warning("%s is not tried again: %s", job, refusal)
            return None
        submission.attempts.append({"name": submission.name} | ending(outcome))
        submission.name, submission.origin, submission.fresh, submission.outcome = name, NEW, False, None
        submission.machine = ""
        submission.status = Status(State.WAITING, f"again in {delay:.0f} s, {failure.cause.value}")
        log.warning("%s: %s; %s in %.0f s", job, failure.message.splitlines()[0], submission.name, delay)
        return delay

    def detached(self, submission: Submission) -> JobReturn:
        """Return a handle of a job that runs on after the launcher has ended."""
        self._write("detached", submission)
        return LaunchedReturn(submission.job, submission.name, JobStatus.COMPLETED, SubmittedJob(submission.name))

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
                return Submission(job, existing.name, ATTACHED, existing.status, existing.machine)
            if state == State.COMPLETED or on_existing == OnExisting.reuse:
                return Submission(job, existing.name, REUSED, existing.status)
        fresh = on_existing == OnExisting.rerun
        return Submission(job, job.name(existing.attempt + 1), NEW, Status(State.WAITING), fresh=fresh)
