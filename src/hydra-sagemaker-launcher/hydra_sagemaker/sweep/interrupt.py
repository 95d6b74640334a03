"""Handles Ctrl-C: says what runs and what it costs an hour, and asks. A second Ctrl-C, at any moment, stops all jobs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.pricing.prices import bound_of_settings
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import OnInterrupt
from hydra_sagemaker.sweep.sweep import Sweep
from hydra_sagemaker.sweep.warm_machines import end_pools

log = logging.getLogger(__name__)
GRACE_SECONDS = 3.0
"""The time for a second Ctrl-C where no terminal can ask."""
VERBS = "hydra-sagemaker"
QUESTION = "[d]etach: jobs continue; [s]top them all; [c]ontinue waiting? "


class Choice(Enum):
    CONTINUE = "c"
    DETACH = "d"
    STOP = "s"


def interrupted(sweep: Sweep) -> bool:
    """Return whether to continue; otherwise the jobs have been stopped, or run on without the launcher."""
    if not (running := list(sweep.tracker.active.values())):
        log.warning("interrupted: nothing runs, and nothing more is submitted; run the same command to continue")
        end_pools(sweep)
        return False
    choice = Choice.STOP
    # local jobs end with their launcher; remote ones cost money either way, so a person is asked
    policy = sweep.settings.on_interrupt or (OnInterrupt.stop if sweep.is_local else OnInterrupt.ask)
    if policy != OnInterrupt.stop:
        with suppress(KeyboardInterrupt):
            _say(sweep, running)
            can_ask = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
            choice = _asked() if policy == OnInterrupt.ask and can_ask else _detached_unless_again()
    if choice == Choice.STOP:
        stop_all(sweep)
    elif choice == Choice.DETACH:
        log.warning("%s", detach_message(sweep, len(running)))
        end_pools(sweep)
    return choice == Choice.CONTINUE


def stop_all(sweep: Sweep) -> None:
    running = len(sweep.tracker.active)
    log.warning("stopping %s; run the same command to continue", counted(running, "job"))
    try:
        not_stopped = sweep.tracker.stop()
    except KeyboardInterrupt:
        not_stopped = list(sweep.tracker.active)
    if not_stopped:
        log.error("%s may still run: %s", counted(len(not_stopped), "job"), ", ".join(not_stopped))
        log.error("  %s stop %s", VERBS, sweep.directory)
    end_pools(sweep, jobs_were_stopped=not not_stopped)


def detach_message(sweep: Sweep, running: int) -> str:
    """Say which jobs run on without the launcher, and how to return to them."""
    place = "on this machine" if sweep.is_local else "in SageMaker"
    return (
        f"{counted(running, 'job')} {'continues' if running == 1 else 'continue'} {place}; the same command attaches to "
        f"{'it' if running == 1 else 'them'}, or:\n"
        f"  {VERBS} list {sweep.directory}\n  {VERBS} collect {sweep.directory}\n  {VERBS} stop {sweep.directory}"
    )


def _say(sweep: Sweep, running: Sequence[Submission]) -> None:
    hourly: list[float | None] = []
    shared: set[str] = set()
    for submission in running:
        if submission.machine in shared:
            log.warning("%s runs as %s, on the same machine", submission.job, submission.name)
            continue
        shared |= {submission.machine} - {""}
        settings = submission.job.settings
        cost: float | None = 0.0
        if not sweep.is_local:
            bound = bound_of_settings(settings, sweep.backend.prices)
            cost = bound.usd_per_hour
        hourly.append(cost)
        machine = f"{settings.instance_type} × {settings.instance_count}" if settings.instance_type else "this machine"
        price = "price unknown" if cost is None else f"${cost:.2f} an hour{' at most (spot)' if settings.spot else ''}"
        log.warning("%s runs as %s, %s, %s", submission.job, submission.name, machine, price)
    known = [cost for cost in hourly if cost is not None]
    more = "" if len(known) == len(hourly) else f" and {len(hourly) - len(known)} of unknown price"
    log.warning("nothing more is submitted; %s, $%.2f an hour%s", counted(len(running), "job"), sum(known), more)


def _asked() -> Choice:
    while True:
        print(QUESTION, end="", file=sys.stderr, flush=True)
        if not (answer := sys.stdin.readline()):  # the terminal was closed
            return Choice.DETACH
        for choice in Choice:
            if answer.strip().lower() in (choice.value, choice.name.lower()):
                return choice


def _detached_unless_again() -> Choice:
    log.warning("detaching in %.0f s; Ctrl-C again stops all jobs", GRACE_SECONDS)
    time.sleep(GRACE_SECONDS)
    return Choice.DETACH
