"""Carries out what the scheduler decides, one action after the other, on one thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from hydra.core.utils import JobReturn

from hydra_plugins.hydra_sagemaker_launcher._backend import NoRoom, State, Status
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._scheduler import Collect, Poll, Scheduler, Sleep, Submit
from hydra_plugins.hydra_sagemaker_launcher._tracker import Submission, Tracker


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


def drive(
    tracker: Tracker, submissions: Sequence[Submission], scheduler: Scheduler, clock: Clock, watcher: Watcher
) -> list[JobReturn]:
    """Until every result is home; in the order of the submissions."""
    indices = {submission.name: index for index, submission in enumerate(submissions)}
    returns: dict[int, JobReturn] = {}
    known = [submission for submission in submissions if submission.status.state != State.WAITING]
    for submission in known:
        tracker.adopt(submission)
    running = [indices[submission.name] for submission in known if not submission.status.state.ended]
    scheduler.already(
        running=running, ended=[indices[submission.name] for submission in known if submission.status.state.ended]
    )
    while (action := scheduler.next(clock.now())) is not None:
        match action:
            case Submit(index):
                _submit(tracker, submissions[index], index, scheduler, clock)
                watcher.changed(submissions[index])
            case Poll():
                changed = tracker.poll()
                scheduler.polled([indices[one.name] for one in changed if one.status.state.ended], clock.now())
                for submission in changed:
                    watcher.changed(submission)
            case Collect(index):
                returns[index] = tracker.collect(submissions[index])
                scheduler.collected(index)
                watcher.changed(submissions[index])
            case Sleep(seconds):
                clock.sleep(seconds)
    return [returns[index] for index in range(len(submissions))]


def _submit(tracker: Tracker, submission: Submission, index: int, scheduler: Scheduler, clock: Clock) -> None:
    try:
        tracker.submit(submission)
    except NoRoom as full:
        if tracker.active:
            submission.status = Status(State.WAITING, str(full))
            scheduler.refused(index)
            return
        error: LauncherError | None = LauncherError(f"there is no room for a single job: {full}")
    except LauncherError as refused:
        error = refused
    else:
        scheduler.submitted(index, clock.now())
        return
    submission.error, submission.status = error, Status(State.FAILED, "not submitted")
    scheduler.failed_to_submit(index)
