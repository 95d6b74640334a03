"""What a launch says before it submits and after it is done: what is new, what it may cost, what it did cost."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

from hydra_sagemaker.display.tables import CostRow, PlanRow, cost_table, counted, plan_table
from hydra_sagemaker.pricing.cost import total
from hydra_sagemaker.pricing.prices import bound_of_settings
from hydra_sagemaker.scheduling.tracker import ATTACHED, NEW, REUSED, Submission
from hydra_sagemaker.sweep.budget import Spending
from hydra_sagemaker.sweep.hooks import imported
from hydra_sagemaker.sweep.manifest import write_manifest

if TYPE_CHECKING:
    from hydra_sagemaker.sweep.sweep import Sweep

log = logging.getLogger(__name__)


def remember(sweep: Sweep, submissions: Sequence[Submission]) -> None:
    """What one needs to come back to the jobs without this application."""
    write_manifest(
        sweep.directory,
        dataclasses.replace(sweep.settings, region=sweep.region),
        [one.job for one in submissions],
        {one.job.number: one.name for one in submissions},
        state_dir=sweep.working_dir / sweep.settings.state_dir,
        root=sweep.code.root,
        working_dir=sweep.working_dir,
        task_package=sweep.task_package,
    )


def print_plan(sweep: Sweep, submissions: Sequence[Submission], count: int) -> None:
    """`submissions` without those of the `count` jobs that are the same job as another."""
    counts = {origin: sum(one.origin == origin for one in submissions) for origin in (NEW, ATTACHED, REUSED)}
    named = ", ".join(f"{count} {origin}" for origin, count in counts.items() if count)
    if not sweep.is_local and counts[REUSED] < len(submissions):
        print(plan_table([_plan_row(one, sweep.spending) for one in submissions], _described(sweep, submissions)))
    if count > len(submissions):
        named += f", {count - len(submissions)} the same as another"
    log.info("%s: %s in %s", counted(count, "job"), named, sweep.directory)


def print_costs(sweep: Sweep, submissions: Sequence[Submission]) -> None:
    """Nothing where nothing was billed: on this machine, or when all is reused."""
    rows = [row for one in submissions if one.origin != REUSED and (row := _cost_row(one)) is not None]
    if rows:
        print(cost_table(rows, _described(sweep, submissions)))


def _described(sweep: Sweep, submissions: Sequence[Submission]) -> str:
    return sweep.spending.prices.described({str(one.job.settings.instance_type) for one in submissions})


def detach_problems(sweep: Sweep, submissions: Sequence[Submission]) -> Iterator[str]:
    """What `wait=false` cannot do: nobody is here later to submit the rest, or to tell a sweeper a value."""
    settings = sweep.settings
    if settings.wait:
        return
    sweeper = imported(str(sweep.config.hydra.sweeper["_target_"]), "wait")
    if not issubclass(sweeper, BasicSweeper):
        yield (
            f"hydra.launcher.wait=false: {sweeper.__name__} needs the value of each job before it thinks of the "
            "next one: hydra.launcher.wait=true"
        )
    jobs = len(sweep.tracker.active) + sum(one.origin != REUSED for one in submissions)
    if jobs > settings.max_parallel:
        yield (
            f"hydra.launcher.wait=false: {jobs} jobs, of which max_parallel={settings.max_parallel} run at once, and nobody "
            f"stays to submit the others: hydra.launcher.max_parallel={jobs}, or hydra.launcher.wait=true"
        )


def _plan_row(submission: Submission, spending: Spending) -> PlanRow:
    job = submission.job
    bound = bound_of_settings(job.settings, spending.prices)
    return PlanRow(
        job=job.number,
        overrides=" ".join(job.distinguishing_overrides),
        origin=submission.origin,
        instance_type=str(job.settings.instance_type),
        instance_count=job.settings.instance_count,
        spot=job.settings.spot,
        max_run_hours=bound.hours,
        max_cost_usd=0.0 if submission.origin == REUSED else bound.usd,
    )


def _cost_row(submission: Submission) -> CostRow | None:
    if submission.outcome is None or submission.failure is not None or not submission.outcome.record.get("cost"):
        return None
    attempts = [*submission.attempts, submission.outcome.record]
    sums = total(one["cost"] for one in attempts if one.get("cost"))
    return CostRow(
        job=submission.job.number,
        overrides=" ".join(submission.job.distinguishing_overrides),
        attempts=len(attempts),
        interruptions=sum(one.get("interruptions") or 0 for one in attempts),
        billable_seconds=sums["billable_seconds"],
        cost_usd=None if sums["unknown"] else sums["cost_usd"],
        saved_by_spot_usd=sums["saved_by_spot_usd"],
    )
