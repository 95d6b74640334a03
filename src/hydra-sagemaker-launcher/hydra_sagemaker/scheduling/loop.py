"""Carries out what the scheduler decides, one action after the other, on one thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from hydra.core.utils import JobReturn, JobStatus

from hydra_sagemaker.backends.base import QuotaExceeded, State, Status
from hydra_sagemaker.errors import Cause, Failure, LauncherError, Throttled, Unreachable
from hydra_sagemaker.scheduling.actions import Collect, Poll, Sleep, Submit, Tend
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.sharing import companions
from hydra_sagemaker.scheduling.submission import Submission
from hydra_sagemaker.scheduling.tracker import Tracker
from hydra_sagemaker.scheduling.warm_pools import LOOK_SECONDS

log = logging.getLogger(__name__)
OUTAGE_SECONDS = 10.0  # shorter outages are not logged when they end
LOG_SECONDS = 60.0  # between two lines about a service out of reach


class EventLoop:
    """Drives the jobs of a sweep. `run` and `step` continue where an exception, such as a KeyboardInterrupt, has ended them.

    Jobs with the same key share one run: the first is submitted, the others get its results.
    """

    def __init__(
        self,
        tracker: Tracker,
        submissions: Iterable[Submission],
        scheduler: Scheduler,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        max_failures: int | None = None,
    ) -> None:
        self.tracker, self.scheduler, self.now, self.sleep = tracker, scheduler, now, sleep
        self.max_failures = max_failures
        self.submissions: list[Submission] = []
        scheduler.pools = tracker.keeper.pools
        scheduler.pools.look_seconds = min(LOOK_SECONDS, max(scheduler.poll_seconds / 2, 0.1))
        self.changed: Callable[[Submission], None] = lambda submission: None
        self._scheduled: dict[int, Submission] = {}  # the jobs that have a run of their own, by the scheduler's index
        self._leaders: dict[str, Submission] = {}  # the job whose run the others share, by key
        self._retried_at: dict[str, float] = {}  # the next attempts of jobs of a machine
        self._logged_outage_at = float("-inf")
        self._outage_since: float | None = None
        for submission in submissions:
            self.add(submission)

    def add(self, submission: Submission) -> None:
        """Queue one more job, or take over one that runs or has ended."""
        self.submissions.append(submission)
        leader = self._leaders.get(submission.job.key)
        if leader is not None and leader.returned is None:
            leader.duplicates.append(submission)
            return
        self._leaders[submission.job.key] = submission
        index = self.scheduler.add(submission.kind, self.tracker.backend.pools.shape(submission.job))
        self._scheduled[index] = submission
        if submission.status.state == State.WAITING:
            return
        self.tracker.attach(submission)
        self.scheduler.restore(index, has_ended=submission.status.state.ended, machine=submission.machine or None)

    def run(self, changed: Callable[[Submission], None]) -> list[JobReturn]:
        """Work until every result is collected, or everything is submitted; return in the order of the submissions.

        `changed` is called with each submission whose state has changed.
        """
        self.changed = changed
        while (seconds := self.step()) is not None:
            self.sleep(seconds)
        for submission in self._scheduled.values():
            if submission.returned is None:
                submission.returned = self.tracker.detached(submission)
                self._return_duplicates(submission, self.tracker.detached)
        return [one.returned for one in self.submissions if one.returned is not None]

    def step(self) -> float | None:
        """Do what is due now; return the seconds until something else may be, None when nothing is left."""
        while True:
            self._skip_the_rest()
            match self.scheduler.next(self.now()):
                case None:
                    return None
                case Submit(index):
                    self._submit(index)
                case Poll():
                    self._poll()
                case Tend():
                    self.tracker.keeper.tend(self.now(), self.scheduler.waiting(self.now()), self.scheduler.idle_slots)
                case Collect(index):
                    self._collect(index)
                case Sleep(seconds):
                    return seconds

    def _skip_the_rest(self) -> None:
        """Take every job out of the queue once `max_failures` have failed."""
        if self.max_failures is None or self.tracker.failed < self.max_failures or not self.scheduler.queued:
            return
        reason = f"not submitted: hydra.launcher.max_failures={self.max_failures} is reached"
        log.error("%d failed, as many as hydra.launcher.max_failures: nothing more is submitted", self.tracker.failed)
        for index, submission in self._scheduled.items():
            if self.scheduler.withdraw(index):
                submission.is_skipped = True
                self._give_up(submission, Failure(Cause.STOPPED, reason, "mend what has failed, then the same command"))

    def cancel(self, submission: Submission) -> None:
        """Stop a job that runs, and take one that waits out of the queue.

        Raises:
            LauncherError: the service could not be told, or the job has no run of its own.
        """
        if submission.status.state.ended:
            return
        index = next((index for index, one in self._scheduled.items() if one is submission), None)
        if index is None:
            raise LauncherError(f"{submission.job} shares the run of another job, or was not submitted: cancel the other one")
        if self.scheduler.withdraw(index):
            self._give_up(submission, Failure(Cause.STOPPED, "it was cancelled before it was submitted", "submit it again"))
            return
        submission.is_cancelled = True
        in_machine = [one for one in self._scheduled.values() if submission.machine and one.machine == submission.machine]
        running = [one for one in in_machine if not one.status.state.ended]
        if others := [one for one in running if not one.is_cancelled]:
            log.warning(
                "%s shares the machine %s with %s, and SageMaker cannot end one job of a machine alone: the machine is stopped "
                "when all of them are cancelled", submission.job, submission.machine, ", ".join(str(one.job) for one in others),
            )  # fmt: skip
        elif not_told := self.tracker.stop([one.name for one in running] or [submission.name]):
            raise LauncherError(f"{submission.job} could not be stopped: {', '.join(not_told)}. Try again")

    def prune(self, submission: Submission) -> None:
        """Tell a running job to end; its record says that it was pruned, and it is not submitted again.

        Raises:
            Throttled, Unreachable: it could not be told now.
        """
        if not submission.status.state.ended:
            self.tracker.backend.request_stop(submission.name)
            leader = self._leaders.get(submission.job.key, submission)
            for one in (submission, leader, *leader.duplicates):  # they share the run
                one.is_pruned = True

    def forget(self, submission: Submission) -> None:
        """Free the memory of a job whose result was taken; a later one with its key finds it as it finds those of before."""
        self.submissions = [one for one in self.submissions if one is not submission]
        if self._leaders.get(submission.job.key) is submission:
            del self._leaders[submission.job.key]
        self._scheduled = {index: one for index, one in self._scheduled.items() if one is not submission}

    def _submit(self, index: int) -> None:
        submission = self._scheduled[index]
        wanted = None
        if (more := self.scheduler.jobs_per_machine - 1) > 0:
            waiting = (self._scheduled[other] for other in self.scheduler.waiting_with(index))
            wanted = companions(submission, waiting, more)
        try:
            together = self.tracker.submit(submission, wanted)
        except QuotaExceeded as full:
            if full.permanent:
                self.scheduler.failed_to_submit(index)
                self._give_up(submission, Failure(Cause.QUOTA, str(full), full.next_step))
                return
            submission.status = Status(State.WAITING, str(full))
            self.scheduler.refused(index, self.now())
        except (Throttled, Unreachable) as error:
            submission.status = Status(State.WAITING, "throttled" if isinstance(error, Throttled) else "no connection")
            self.scheduler.throttled(self.now())
            self._log_outage(error)
        except LauncherError as refused:
            if refused.concerns_all:
                raise
            failure = refused.failure or Failure(Cause.INFRASTRUCTURE, str(refused), "the same command again")
            self.scheduler.failed_to_submit(index)
            self._give_up(submission, failure)
            return
        else:
            self._end_outage()
            indexes = {one.name: index for index, one in self._scheduled.items()} if together else {}
            others = [indexes[one.name] for one in together]
            self.scheduler.submitted(index, self.now(), others, submission.machine or None)
            for one in together:
                self.changed(one)
        self.changed(submission)

    def _give_up(self, submission: Submission, failure: Failure) -> None:
        state = State.STOPPED if failure.cause == Cause.STOPPED else State.FAILED
        submission.failure, submission.status = failure, Status(state, "not submitted")
        self.changed(submission)

    def _poll(self) -> None:
        try:
            changed = self.tracker.poll()
        except (Throttled, Unreachable) as error:
            self.scheduler.not_polled(self.now())
            self._log_outage(error)
            return
        self._end_outage()
        for submission in changed:
            if submission.status.state.ended:
                self.tracker.keeper.ended(submission, self.now())
        ended = {one.name for one in changed if one.status.state.ended}
        badly = {one.name for one in changed if one.status.state in (State.FAILED, State.STOPPED)}
        self.scheduler.failed.update(i for i in self.scheduler.running if self._scheduled[i].name in badly)
        self.scheduler.polled([i for i in self.scheduler.running if self._scheduled[i].name in ended], self.now())
        self.tracker.delivered(changed)
        for submission in changed:
            self.changed(submission)

    def _collect(self, index: int) -> None:
        submission = self._scheduled[index]
        returned, machine, now = self.tracker.collect(submission), submission.machine, self.now()
        others_in = self._retried_at.get(machine, now) - now
        if (delay := self.tracker.retried_after(submission, others_in if others_in > 0 else None)) is None:
            submission.returned = returned
            is_exempt = submission.is_skipped or submission.is_reused or submission.is_pruned
            self.tracker.failed += returned.status == JobStatus.FAILED and not is_exempt
            self._return_duplicates(submission, self.tracker.collect)
        else:
            self.scheduler.requeue(index, now + delay)
            if machine:
                self._retried_at[machine] = now + delay
        self.scheduler.collected(index)
        self.changed(submission)

    def _return_duplicates(self, leader: Submission, returned: Callable[[Submission], JobReturn]) -> None:
        for duplicate in leader.duplicates:
            duplicate.name, duplicate.status, duplicate.failure = leader.name, leader.status, leader.failure
            duplicate.duplicate_of, duplicate.is_skipped = leader.job.number, leader.is_skipped
            duplicate.returned = returned(duplicate)

    def _log_outage(self, error: LauncherError) -> None:
        """Log an outage once, then every minute."""
        now = self.now()
        self._outage_since = now if self._outage_since is None else self._outage_since
        if now - self._logged_outage_at >= LOG_SECONDS:
            self._logged_outage_at = now
            log.warning("%s; trying again, jobs run meanwhile", str(error).splitlines()[0])

    def _end_outage(self) -> None:
        now = self.now()
        if self._outage_since is not None and now - self._outage_since >= OUTAGE_SECONDS:
            log.info("the service answers again, after %.0f s", now - self._outage_since)
        self._outage_since = None
