"""`submit`, `poll` and `collect`: one job's way there and back. The scheduler drives them for a sweep; a sweeper that wants its
results one by one may do so itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.utils import JobReturn

from hydra_plugins.hydra_sagemaker_launcher._backend import Backend, Existing, Outcome, State, Status
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError, SubmissionRefused
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._ledger import Ledger
from hydra_plugins.hydra_sagemaker_launcher._returns import job_return
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec
from hydra_plugins.hydra_sagemaker_launcher.config import OnExisting

NEW, ADOPTED, REUSED = "new", "adopted", "reused"


@dataclass
class Submission:
    job: Job
    name: str
    origin: str
    """new, adopted (it was running) or reused (it had ended)."""
    status: Status
    outcome: Outcome | None = None
    error: LauncherError | None = None
    """Why it could not be submitted."""


class Tracker:
    def __init__(self, backend: Backend, ledger: Ledger, spec_of: Callable[[Job, str], Spec], task_package: str | None) -> None:
        self.backend = backend
        self.ledger = ledger
        self.spec_of = spec_of
        self.task_package = task_package
        self.active: dict[str, Submission] = {}

    def plan(self, jobs: Sequence[Job], on_existing: OnExisting) -> list[Submission]:
        """What each job will be, without doing anything yet.

        Raises:
            SubmissionRefused: jobs that ran before, with `on_existing=fail`, or run now, with `on_existing=rerun`.
        """
        existing = self.backend.existing(jobs)
        if problems := list(_problems(jobs, existing, on_existing)):
            raise SubmissionRefused(problems)
        return [self._planned(job, existing.get(job.key), on_existing) for job in jobs]

    def submit(self, submission: Submission) -> None:
        """
        Raises:
            NoRoom: not now; it may be tried again.
            LauncherError: never like this.
        """
        job = submission.job
        self.ledger.append("submit", job=job.number, name=submission.name, key=job.key, output_dir=str(job.output_dir))
        if not self.backend.submit(job, submission.name, self.spec_of(job, submission.name)):
            submission.origin = ADOPTED  # another launcher, or this one before it was killed
        submission.status = Status(State.RUNNING)
        self.active[submission.name] = submission

    def adopt(self, submission: Submission) -> None:
        self.ledger.append(submission.origin, job=submission.job.number, name=submission.name, key=submission.job.key)
        if not submission.status.state.ended:
            self.active[submission.name] = submission

    def poll(self) -> list[Submission]:
        """Those whose status is another than at the last look."""
        changed = []
        for name, status in self.backend.poll(list(self.active)).items():
            submission = self.active[name]
            if status != submission.status:
                self.ledger.append("status", name=name, state=status.state.value, detail=status.detail)
                submission.status = status
                changed.append(submission)
            if status.state.ended:
                del self.active[name]
        return changed

    def collect(self, submission: Submission) -> JobReturn:
        """Brings the results to the job's output directory; whatever goes wrong is a failed job, never an exception."""
        job = submission.job
        if submission.error is not None:
            outcome = Outcome(Status(State.FAILED, "not submitted"), None, reason=str(submission.error))
        else:
            self.ledger.append("collect", job=job.number, name=submission.name)
            try:
                outcome = self.backend.collect(job, submission.name, submission.status)
            except Exception as error:  # the network, the disk: the other jobs' results shall not be lost with this one's
                reason = f"its results could not be brought home: {type(error).__name__}: {error}"
                outcome = Outcome(submission.status, None, reason=reason, next_step="the same command again collects them")
        submission.outcome = outcome
        returned = job_return(job, submission.name, outcome, self.task_package)
        self.ledger.append("collected", job=job.number, name=submission.name, status=returned.status.name.lower())
        return returned

    def stop(self) -> None:
        self.ledger.append("stop", names=list(self.active))
        self.backend.stop(list(self.active))

    def _planned(self, job: Job, existing: Existing | None, on_existing: OnExisting) -> Submission:
        if existing is None:
            return Submission(job, job.name(0), NEW, Status(State.WAITING))
        state = existing.status.state
        if on_existing != OnExisting.rerun:
            if state == State.RUNNING:
                return Submission(job, existing.name, ADOPTED, existing.status)
            if state == State.COMPLETED or on_existing == OnExisting.reuse:
                return Submission(job, existing.name, REUSED, existing.status)
        return Submission(job, job.name(existing.attempt + 1), NEW, Status(State.WAITING))


def _problems(jobs: Sequence[Job], existing: Mapping[str, Existing], on_existing: OnExisting) -> Iterator[str]:
    """A second run beside a running one would write to the same files."""
    for job in jobs:
        found = existing.get(job.key)
        if found is not None and on_existing == OnExisting.fail:
            yield f"{job} exists as {found.name}: hydra.launcher.on_existing=retry_failed goes on with them"
        elif found is not None and on_existing == OnExisting.rerun and not found.status.state.ended:
            yield f"{job} still runs as {found.name}: stop it, or hydra.launcher.on_existing=retry_failed adopts it"
