"""What `launch` does: plan, submit, wait, bring home, say what happened."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals

from hydra_plugins.hydra_sagemaker_launcher._drive import SystemClock, drive
from hydra_plugins.hydra_sagemaker_launcher._errors import LauncherError
from hydra_plugins.hydra_sagemaker_launcher._scheduler import Scheduler
from hydra_plugins.hydra_sagemaker_launcher._sweep import Sweep
from hydra_plugins.hydra_sagemaker_launcher._table import watcher
from hydra_plugins.hydra_sagemaker_launcher._tracker import ADOPTED, NEW, REUSED, Submission
from hydra_plugins.hydra_sagemaker_launcher.config import Mode

log = logging.getLogger(__name__)


def launch(sweep: Sweep, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
    """Returns in the order of `job_overrides`; a job that failed is a FAILED return."""
    setup_globals()
    hydra = sweep.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    sweep.directory.mkdir(parents=True, exist_ok=True)
    jobs = sweep.jobs(job_overrides, initial_job_idx)
    if sweep.settings.mode == Mode.dry_run:
        from hydra_plugins.hydra_sagemaker_launcher._dry_run import write_requests

        write_requests(sweep, jobs)
        raise SystemExit(0)
    submissions = sweep.tracker.plan(jobs, sweep.settings.on_existing)
    log.info("%s in %s", _plan(submissions), sweep.directory)
    returns = _run(sweep, submissions)
    _report(submissions, returns)
    return returns


def _run(sweep: Sweep, submissions: Sequence[Submission]) -> list[JobReturn]:
    leaders = {submission.name: submission for submission in reversed(submissions)}
    unique = [submission for submission in submissions if leaders[submission.name] is submission]
    scheduler = Scheduler(len(unique), sweep.settings.max_parallel, sweep.settings.poll_seconds or 0.0)
    try:
        with _terminations_raised(), watcher(unique) as shown:
            returns = drive(sweep.tracker, unique, scheduler, SystemClock(), shown)
    except (KeyboardInterrupt, SystemExit, LauncherError):
        _leave(sweep)
        raise
    found = dict(zip((submission.name for submission in unique), returns, strict=True))
    for submission in submissions:  # jobs that are the same job share one run
        if leaders[submission.name] is not submission:
            submission.status, submission.error = leaders[submission.name].status, leaders[submission.name].error
    return [found[one.name] if leaders[one.name] is one else sweep.tracker.collect(one) for one in submissions]


def _leave(sweep: Sweep) -> None:
    running = len(sweep.tracker.active)
    if not running:
        return
    if sweep.is_local:
        log.warning("stopping %s; the same command goes on", _jobs(running))
        sweep.tracker.stop()
    else:
        log.warning("%s go on in SageMaker; the same command adopts them", _jobs(running))


@contextmanager
def _terminations_raised() -> Iterator[None]:
    """SIGTERM ends the launcher as Ctrl-C does: local jobs get the time to save what they have."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _plan(submissions: Sequence[Submission]) -> str:
    counts = {origin: sum(one.origin == origin for one in submissions) for origin in (NEW, ADOPTED, REUSED)}
    named = ", ".join(f"{count} {origin}" for origin, count in counts.items() if count)
    return f"{_jobs(len(submissions))}: {named}"


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _report(submissions: Sequence[Submission], returns: Sequence[JobReturn]) -> None:
    """Every failure with its traceback; the sweeper would show the first one only."""
    failed = [
        (one, returned) for one, returned in zip(submissions, returns, strict=True) if returned.status == JobStatus.FAILED
    ]
    for submission, returned in failed:
        error = returned._return_value
        detail = str(error.__cause__).strip() if error.__cause__ is not None else f"{type(error).__name__}: {error}"
        log.error("%s failed as %s\n%s\nits files: %s", submission.job, submission.name, detail, submission.job.output_dir)
    if failed:
        done = len(returns) - len(failed)
        log.error(
            "%d of %s failed, %d completed; the same command runs only the failed ones again",
            len(failed),
            _jobs(len(returns)),
            done,
        )
