"""Prints the plan of a launch before it submits, and the bill after it is done."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from hydra_sagemaker.display.tables import cost_table, counted, plan_table
from hydra_sagemaker.scheduling.job_returns import sweeper_by_values
from hydra_sagemaker.scheduling.sharing import groups
from hydra_sagemaker.scheduling.tracker import ATTACHED, NEW, REUSED, Submission
from hydra_sagemaker.settings import keep_warm_seconds
from hydra_sagemaker.sweep.changed_data import changed_data
from hydra_sagemaker.sweep.likely import LikelyCosts
from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)


def print_plan(sweep: Sweep, submissions: Sequence[Submission], count: int) -> None:
    """Print what each job will be; `submissions` leaves out duplicates, `count` counts them."""
    counts = {origin: sum(one.origin == origin for one in submissions) for origin in (NEW, ATTACHED, REUSED)}
    named = ", ".join(f"{count} {origin}" for origin, count in counts.items() if count)
    if not sweep.is_local and counts[REUSED] < len(submissions):
        likely = LikelyCosts(sweep.directory, sweep.backend.prices)
        based_on = likely.described([one.job.settings for one in submissions if not one.is_reused])
        described = "; ".join(filter(None, (_described(sweep, submissions), based_on)))
        print(plan_table(submissions, sweep.backend.prices, described, likely=likely.usd))
    if jobs_per_machine(sweep) > 1 and counts[REUSED] < len(submissions):
        named += f", on {counted(len(machines_of(sweep, submissions)), 'machine')}"
    if count > len(submissions):
        named += f", {count - len(submissions)} the same as another"
    told = ". ".join(filter(None, (sweep.other_versions.sentence(submissions), changed_data(sweep, submissions))))
    log.info("%s: %s in %s%s", counted(count, "job"), named, sweep.directory, f". {told}" if told else "")


def print_costs(sweep: Sweep, submissions: Sequence[Submission]) -> None:
    """Print the bill; nothing where nothing was billed, on this machine or when all is reused."""
    ended = [one for one in submissions if not one.is_reused and one.failure is None]
    if billed := [one for one in ended if one.outcome is not None and one.outcome.record.get("cost")]:
        print(cost_table(billed, _described(sweep, submissions)))


def _described(sweep: Sweep, submissions: Sequence[Submission]) -> str:
    return sweep.backend.prices.described({str(one.job.settings.instance_type) for one in submissions})


def detach_problems(sweep: Sweep, submissions: Sequence[Submission]) -> Iterator[str]:
    """Yield the things that `wait=false` cannot do: nobody stays to submit more jobs, or to return a value to a sweeper."""
    settings = sweep.settings
    if settings.wait:
        return
    if (sweeper := sweeper_by_values(sweep.config)) is not None:
        yield (
            f"hydra.launcher.wait=false: {sweeper} needs the value of each job before it chooses "
            "the next one: hydra.launcher.wait=true"
        )
    if any(keep_warm_seconds(one.job.settings) for one in submissions):
        yield (
            "hydra.launcher.wait=false: nobody stays to give back the machines that hydra.launcher.keep_warm_minutes keeps: "
            "hydra.launcher.keep_warm_minutes=null, or hydra.launcher.wait=true"
        )
    jobs = len({one.machine or one.name for one in sweep.tracker.active.values()}) + len(machines_of(sweep, submissions))
    if jobs > settings.max_parallel:
        kind = "machines" if jobs_per_machine(sweep) > 1 else "jobs"
        yield (
            f"hydra.launcher.wait=false: {jobs} {kind}, max_parallel={settings.max_parallel} submits only some at once, "
            f"and nobody stays to submit the others: hydra.launcher.max_parallel={jobs}, or hydra.launcher.wait=true"
        )


def machines_of(sweep: Sweep, submissions: Sequence[Submission]) -> list[list[Submission]]:
    """Return the jobs that run, or will run, machine by machine."""
    running: dict[str, list[Submission]] = {}
    for one in submissions:
        if one.origin == ATTACHED:
            running.setdefault(one.machine or one.name, []).append(one)
    return [*running.values(), *groups([one for one in submissions if one.origin == NEW], jobs_per_machine(sweep))]


def jobs_per_machine(sweep: Sweep) -> int:
    return 1 if sweep.is_local else sweep.settings.jobs_per_machine
