"""Carries out what the scheduler decides, one action after the other, on one thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from hydra.core.utils import JobReturn

from hydra_sagemaker.backends.base import QuotaExceeded, State, Status
from hydra_sagemaker.errors import Cause, Failure, LauncherError, Throttled, Unreachable
from hydra_sagemaker.scheduling.scheduler import Collect, Poll, Scheduler, Sleep, Submit
from hydra_sagemaker.scheduling.tracker import Submission, Tracker

log = logging.getLogger(__name__)
LONG_SECONDS = 10.0
SILENCE_SECONDS = 60.0
"""Of a service out of reach, between two lines that say so."""


class Clock(Protocol):
    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Watcher(Protocol):
    """Is shown every change."""

    def changed(self, submission: Submission) -> None: ...


class Drive:
    """May be run again after an exception has left it, a KeyboardInterrupt say: it goes on where it was."""

    def __init__(self, tracker: Tracker, submissions: Sequence[Submission], scheduler: Scheduler, clock: Clock) -> None:
        self.tracker, self.submissions, self.scheduler, self.clock = tracker, submissions, scheduler, clock
        self.returns: dict[int, JobReturn] = {}
        self._said_unreachable = float("-inf")
        self._lost_since: float | None = None
        running, ended = [], []
        for index, submission in enumerate(submissions):
            if submission.status.state != State.WAITING:
                tracker.adopt(submission)
                (ended if submission.status.state.ended else running).append(index)
        scheduler.already(running=running, ended=ended)
        self._indices = {submission.name: index for index, submission in enumerate(submissions)}

    def run(self, watcher: Watcher) -> list[JobReturn]:
        """Until every result is home, or everything is submitted; in the order of the submissions."""
        self.watcher = watcher
        while (action := self.scheduler.next(self.clock.now())) is not None:
            match action:
                case Submit(index):
                    self._submit(index)
                case Poll():
                    self._poll()
                case Collect(index):
                    self._collect(index)
                case Sleep(seconds):
                    self.clock.sleep(seconds)
        for index, submission in enumerate(self.submissions):
            if index not in self.returns:
                self.returns[index] = self.tracker.left(submission)
        return [self.returns[index] for index in range(len(self.submissions))]

    def _submit(self, index: int) -> None:
        submission = self.submissions[index]
        try:
            self.tracker.submit(submission)
        except QuotaExceeded as full:
            if full.permanent:
                self._give_up(index, Failure(Cause.QUOTA, str(full), full.next_step))
                return
            submission.status = Status(State.WAITING, str(full))
            self.scheduler.refused(index, self.clock.now())
        except (Throttled, Unreachable) as error:
            submission.status = Status(State.WAITING, "throttled" if isinstance(error, Throttled) else "no connection")
            self.scheduler.held_up(self.clock.now())
            self._note(error)
        except LauncherError as refused:
            if refused.concerns_all:
                raise
            self._give_up(index, refused.failure or Failure(Cause.INFRASTRUCTURE, str(refused), "the same command again"))
        else:
            self._heard()
            self.scheduler.submitted(index, self.clock.now())
        self.watcher.changed(submission)

    def _give_up(self, index: int, failure: Failure) -> None:
        submission = self.submissions[index]
        submission.failure, submission.status = failure, Status(State.FAILED, "not submitted")
        self.scheduler.failed_to_submit(index)
        self.watcher.changed(submission)

    def _poll(self) -> None:
        try:
            changed = self.tracker.poll()
        except (Throttled, Unreachable) as error:
            self.scheduler.not_polled(self.clock.now())
            self._note(error)
            return
        self._heard()
        self.scheduler.polled([self._indices[one.name] for one in changed if one.status.state.ended], self.clock.now())
        self.tracker.delivered(changed)
        for submission in changed:
            self.watcher.changed(submission)

    def _collect(self, index: int) -> None:
        submission = self.submissions[index]
        returned = self.tracker.collect(submission)
        delay = self.tracker.retried_after(submission)
        if delay is None:
            self.returns[index] = returned
        else:
            self._indices[submission.name] = index
            self.scheduler.again(index, self.clock.now() + delay)
        self.scheduler.collected(index)
        self.watcher.changed(submission)

    def _note(self, error: LauncherError) -> None:
        """What is ridden through is said at the beginning, and then once a minute."""
        now = self.clock.now()
        self._lost_since = now if self._lost_since is None else self._lost_since
        if now - self._said_unreachable >= SILENCE_SECONDS:
            self._said_unreachable = now
            log.warning("%s; trying again, jobs go on meanwhile", str(error).splitlines()[0])

    def _heard(self) -> None:
        """Of a few calls among others that were refused nothing is said."""
        now = self.clock.now()
        if self._lost_since is not None and now - self._lost_since >= LONG_SECONDS:
            log.info("the service answers again, after %.0f s", now - self._lost_since)
        self._lost_since = None
