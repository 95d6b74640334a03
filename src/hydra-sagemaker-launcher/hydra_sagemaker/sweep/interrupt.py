"""Handles Ctrl-C: says what runs and what it costs an hour, and asks. A second Ctrl-C, at any moment, stops all jobs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.pricing.prices import Prices, bound_of_settings
from hydra_sagemaker.scheduling.tracker import Submission
from hydra_sagemaker.settings import Mode, OnInterrupt
from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)
GRACE_SECONDS = 3.0
"""For a second Ctrl-C where no terminal can ask."""
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
        return False
    choice = Choice.STOP
    if _policy(sweep) != OnInterrupt.stop:
        with suppress(KeyboardInterrupt):
            _say(running, sweep.backend.prices)
            can_ask = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
            choice = _asked() if _policy(sweep) == OnInterrupt.ask and can_ask else _detached_unless_again()
    if choice == Choice.STOP:
        stop_all(sweep)
    elif choice == Choice.DETACH:
        log.warning("%s", detach_message(sweep, len(running)))
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


def detach_message(sweep: Sweep, running: int) -> str:
    """Say which jobs run on without the launcher, and how to return to them."""
    place = "on this machine" if sweep.is_local else "in SageMaker"
    return (
        f"{counted(running, 'job')} {'continues' if running == 1 else 'continue'} {place}; the same command attaches to "
        f"{'it' if running == 1 else 'them'}, or:\n"
        f"  {VERBS} list {sweep.directory}\n  {VERBS} collect {sweep.directory}\n  {VERBS} stop {sweep.directory}"
    )


def _policy(sweep: Sweep) -> OnInterrupt:
    """Local jobs end with their launcher; remote ones cost money either way, so a person is asked."""
    return sweep.settings.on_interrupt or (OnInterrupt.stop if sweep.is_local else OnInterrupt.ask)


def _say(running: Sequence[Submission], prices: Prices) -> None:
    hourly = [_per_hour(one, prices) for one in running]
    for submission, cost in zip(running, hourly, strict=True):
        settings = submission.job.settings
        machine = f"{settings.instance_type} × {settings.instance_count}" if settings.instance_type else "this machine"
        price = "price unknown" if cost is None else f"${cost:.2f} an hour{' at most (spot)' if settings.spot else ''}"
        log.warning("%s runs as %s, %s, %s", submission.job, submission.name, machine, price)
    known = [cost for cost in hourly if cost is not None]
    more = "" if len(known) == len(hourly) else f" and {len(hourly) - len(known)} of unknown price"
    log.warning("nothing more is submitted; %s, $%.2f an hour%s", counted(len(running), "job"), sum(known), more)


def _per_hour(submission: Submission, prices: Prices) -> float | None:
    settings = submission.job.settings
    if settings.mode == Mode.local:
        return 0.0
    bound = bound_of_settings(settings, prices)
    return None if bound.usd is None else bound.usd / bound.hours


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
