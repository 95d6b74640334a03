"""Launches jobs: plans, submits, waits, collects, and reports what happened."""

from __future__ import annotations

import dataclasses
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals

from hydra_sagemaker.backends.base import State
from hydra_sagemaker.display.live_table import shown
from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import LauncherError, SubmissionRefused, TooExpensive
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.loop import EventLoop
from hydra_sagemaker.scheduling.scheduler import Scheduler
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import Mode
from hydra_sagemaker.sweep.announcements import detach_problems, jobs_per_machine, print_costs, print_plan
from hydra_sagemaker.sweep.dry_run import dry_run
from hydra_sagemaker.sweep.interrupt import detach_message, interrupted, stop_all
from hydra_sagemaker.sweep.lock import locked
from hydra_sagemaker.sweep.manifest import write_manifest
from hydra_sagemaker.sweep.sweep import Sweep
from hydra_sagemaker.sweep.warm_machines import end_pools, find_earlier_pools

log = logging.getLogger(__name__)
INTERRUPTED = 130


def launch(sweep: Sweep, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    """Run jobs and return their results in the order of `job_overrides`; a job that failed is a FAILED return."""
    setup_globals()
    hydra = sweep.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    sweep.directory.mkdir(parents=True, exist_ok=True)
    try:
        return _launch(sweep, job_overrides, initial_job_idx)
    except SubmissionRefused as error:
        end_pools(sweep)  # of an earlier launch
        raise type(error)(error.problems, earlier_jobs=initial_job_idx) from error.__cause__
    except KeyboardInterrupt:  # before anything was submitted: later ones are answered where they come
        leave(sweep)
        log.warning("interrupted before anything %swas submitted", "more " if sweep.tracker.active else "")
        raise SystemExit(INTERRUPTED) from None


def _launch(sweep: Sweep, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    jobs = sweep.jobs(job_overrides, initial_job_idx)
    if sweep.settings.mode == Mode.dry_run:
        dry_run(sweep, jobs)
        raise SystemExit(0)
    with locked(sweep.directory):
        submissions = plan(sweep, jobs)
        unique = _unique(submissions)
        print_plan(sweep, unique, len(submissions))
        for reason in sweep.changes.reasons(unique):
            log.info("%s", reason)
        returns = _run(sweep, submissions, unique)
        end_pools(sweep)
    _report(sweep, submissions, returns)
    return returns


def plan(sweep: Sweep, jobs: Sequence[Job]) -> list[Submission]:
    """Decide what each job will be, and write the manifest; nothing is submitted yet.

    Raises:
        SubmissionRefused: the account, the budget or jobs that run already do not allow it.
    """
    sweep.preflight(jobs)
    submissions = sweep.tracker.plan(jobs, sweep.settings.on_existing)
    find_earlier_pools(sweep, submissions)
    unique = _unique(submissions)
    occupied = sweep.backend.occupied(jobs)
    sweep.backend.learn_prices([one.job for one in unique])
    sweep.changes.note(sweep, jobs)
    reasons = sweep.changes.reasons(unique)
    earlier = sweep.earlier.problems(submissions, occupied, reasons)
    too_dear = sweep.spending.reserve({one.name: one.job for one in unique if not one.is_reused})
    others = [*occupied, *earlier, *detach_problems(sweep, unique)]
    if problems := [*others, *filter(None, [too_dear])]:
        raise SubmissionRefused(problems) if others else TooExpensive(problems)
    sweep.changes.write(all_jobs=len(jobs) > 1)
    write_manifest(
        sweep.directory,
        dataclasses.replace(sweep.settings, region=sweep.backend.region),  # another shell may have another default
        [one.job for one in submissions],
        {one.job.number: one.name for one in submissions},
        state_dir=sweep.working_dir / sweep.settings.state_dir,
        root=sweep.code.root,
        working_dir=sweep.working_dir,
        task_package=sweep.task_package,
    )
    return submissions


def event_loop(sweep: Sweep, submissions: Sequence[Submission] = (), *, detach: bool = False) -> EventLoop:
    settings = sweep.settings
    scheduler = Scheduler(settings.max_parallel, settings.poll_seconds or 0.0, settings.submits_per_second, detach=detach)
    scheduler.collects_first = settings.max_failures is not None
    scheduler.jobs_per_machine = jobs_per_machine(sweep)
    return EventLoop(sweep.tracker, submissions, scheduler, max_failures=settings.max_failures)


def _unique(submissions: Sequence[Submission]) -> list[Submission]:
    """Return the first of the jobs that share a run."""
    return list({submission.name: submission for submission in reversed(submissions)}.values())[::-1]


def _run(sweep: Sweep, submissions: Sequence[Submission], unique: Sequence[Submission]) -> list[JobReturn]:
    loop = event_loop(sweep, submissions, detach=not sweep.settings.wait)
    with terminations_raised():
        try:
            returns = _until_done(sweep, loop, unique)
        except OSError as error:  # no space on the disk, a directory that has gone
            leave(sweep)
            raise LauncherError(f"{error}. Collected results are kept; mend that and run the same command") from error
        except BaseException:  # a signal while Ctrl-C is handled too
            leave(sweep)
            raise
    if returns is None:
        raise SystemExit(INTERRUPTED)
    return returns


def _until_done(sweep: Sweep, loop: EventLoop, unique: Sequence[Submission]) -> list[JobReturn] | None:
    """Run to the end; None after Ctrl-C, when the jobs were stopped or left."""
    while True:
        try:
            with shown(unique) as changed:
                return loop.run(changed)
        except KeyboardInterrupt:
            if not interrupted(sweep):
                return None


def leave(sweep: Sweep) -> None:
    """Stop local jobs, since nobody is left to wait for them; others keep running, and a message says how to return."""
    running = len(sweep.tracker.active)
    if running and sweep.is_local:
        stop_all(sweep)
    elif running:
        log.warning("%s", detach_message(sweep, running))
    if not (running and sweep.is_local):
        end_pools(sweep)


@contextmanager
def terminations_raised() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end the launcher as Ctrl-C does: local jobs get the time to save what
    they have. Under nohup SIGHUP stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] * (signal.getsignal(signal.SIGHUP) != signal.SIG_IGN))]
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _report(sweep: Sweep, submissions: Sequence[Submission], returns: Sequence[JobReturn]) -> None:
    """Log every failure with its traceback and its next step; the sweeper would show the first one only."""
    failed = [
        (one, returned) for one, returned in zip(submissions, returns, strict=True) if returned.status == JobStatus.FAILED
    ]
    skipped = sum(one.is_skipped for one, _ in failed)
    failed = [(one, returned) for one, returned in failed if not one.is_skipped]
    for submission, returned in failed:
        error = returned._return_value
        detail = str(error.__cause__).strip() if error.__cause__ is not None else f"{type(error).__name__}: {error}"
        failure = submission.outcome.failure if submission.outcome else None
        step = f"\nNext: {failure.next_step}" if failure and error.__cause__ is not None else ""
        kind = f" ({failure.cause.value})" if failure else ""
        log.error(
            "%s failed as %s%s\n%s%s\nits files: %s",
            submission.job, submission.name, kind, detail, step, submission.job.output_dir,
        )  # fmt: skip
    if others := sweep.other_versions.sentence(submissions):  # of results that only now are on this machine
        log.warning("%s", others)
    print_costs(sweep, submissions)
    if running := sum(submission.status.state == State.RUNNING for submission in submissions):
        log.info("%s", detach_message(sweep, running))
    if failed or skipped:
        done = len(returns) - len(failed) - skipped - running
        others = f", {skipped} not submitted (max_failures)" if skipped else ""
        log.error(
            "%d of %s failed, %d completed%s; the same command runs only the failed ones again",
            len(failed), counted(len(returns), "job"), done, others,
        )  # fmt: skip
