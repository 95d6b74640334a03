"""Asks SageMaker how jobs are, with few calls, and with the same answers for jobs alone and jobs that share a machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from hydra_sagemaker.aws.clients import persistently
from hydra_sagemaker.aws.request import slug_of
from hydra_sagemaker.aws.shared_machines import MACHINE, SharedMachines
from hydra_sagemaker.aws.training_jobs import TrainingJobs
from hydra_sagemaker.backends.base import Existing, State, Status
from hydra_sagemaker.backends.sagemaker_status import status_of
from hydra_sagemaker.errors import Throttled, Unreachable
from hydra_sagemaker.job.identity import parse_job_name
from hydra_sagemaker.job.job import Job

CLOCKS_DIFFER_SECONDS = 3600.0  # this machine's clock may be ahead of the service's
FEW_JOBS = 3
"""That many are asked about one by one: the list of all that a search has submitted would be long."""


class JobLookup:
    """Each call raises Throttled, Unreachable or NotPermitted."""

    def __init__(self, training_jobs: TrainingJobs, machines: SharedMachines) -> None:
        self.training_jobs, self.machines = training_jobs, machines
        self.final_descriptions: dict[str, dict[str, Any]] = {}
        """Descriptions of ended jobs, until they are collected."""
        self._unlisted: set[str] = set()
        """Jobs that the last list of running jobs lacked, and whose end is not confirmed yet."""

    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        """Return the newest attempt at each job that was submitted before, by key."""
        if len(jobs) <= FEW_JOBS:
            return {job.key: found for job in jobs if (found := self._newest(job)) is not None}
        wanted = {job.key for job in jobs}
        newest: dict[str, tuple[int, str]] = {}
        summaries: dict[str, dict[str, Any]] = {}
        machines: dict[str, str] = {}
        for slug in {job.slug for job in jobs}:
            listed = {one["TrainingJobName"]: one for one in self.training_jobs.listed(patient=True, NameContains=f"{slug}-")}
            persistently(lambda slug=slug, listed=listed: self.machines.learn(slug, listed))
            summaries |= listed
            machines |= self.machines.attempts(slug)
        for name in (*summaries, *machines):
            key, attempt = parse_job_name(name) or ("", 0)
            if key in wanted and (key not in newest or attempt > newest[key][0]):
                newest[key] = attempt, name
        found = {}
        for key, (attempt, name) in newest.items():
            machine = "" if name in summaries else machines[name]
            if machine and machine not in summaries:
                continue  # its list of jobs is there, and the training job was deleted
            status = persistently(lambda name=name, machine=machine: self._status(name, summaries[machine or name]))
            found[key] = Existing(name, attempt, status, machine)
        return found

    def _newest(self, job: Job) -> Existing | None:
        newest, attempt = None, 0
        while (described := persistently(lambda: self.machines.described(job.name(attempt)))) is not None:  # noqa: B023
            newest = Existing(job.name(attempt), attempt, status_of(described), described.get("Machine", ""))
            attempt += 1
        return newest

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        """List the jobs in progress, and describe the jobs that are not among them any more.

        Jobs that a throttled poll could not describe come first in the next one, so that each poll gets further.
        """
        found: dict[str, Status] = {}
        try:
            machines = {name: machine for name in names if (machine := self.machines.machine_of(name)) is not None}
            asked = list(dict.fromkeys(machines.get(name, name) for name in names))
            self._describe_into(found, [name for name in asked if name in self._unlisted])
            others = [name for name in asked if name not in self._unlisted]
            listed = {
                summary["TrainingJobName"]: summary
                for slug in {slug_of(name) for name in others}
                for summary in self.training_jobs.listed(NameContains=f"{slug}-", StatusEquals="InProgress")
            }
            found |= {name: status_of(listed[name]) for name in others if name in listed}
            self._unlisted.update(missing := [name for name in others if name not in listed])
            self._describe_into(found, missing)
            for machine in {*machines.values()} & found.keys():
                inside = [name for name, other in machines.items() if other == machine]
                found |= self._in_machine(inside, machine, found[machine], listed.get(machine))
        except (Throttled, Unreachable):
            if not found:
                raise
        return {name: found[name] for name in names if name in found}

    def statuses(self, names: Collection[str], since: float) -> dict[str, Status]:
        """Read lists, a call for a hundred jobs; only a job that they lack is described."""
        earliest = datetime.fromtimestamp(since - CLOCKS_DIFFER_SECONDS, UTC)
        listed = {
            summary["TrainingJobName"]: status_of(summary)
            for slug in {slug_of(name) for name in names}
            for summary in self.training_jobs.listed(NameContains=f"{slug}-", CreationTimeAfter=earliest)
        }
        found = {name: listed[name] for name in names if name in listed}
        self._describe_into(found, sorted({*names} - {*found}))
        return found

    def _describe_into(self, found: dict[str, Status], names: Sequence[str]) -> None:
        for name in names:
            if (described := self.machines.described(name)) is None:  # another launcher may have given it a machine meanwhile
                self.machines.learn(slug_of(name))
                described = self.machines.described(name)
            found[name] = Status(State.LOST, "not found") if described is None else status_of(described)
            if found[name].state.ended:
                self._unlisted.discard(name)
                if described is not None and not MACHINE.fullmatch(name):
                    self.final_descriptions[name] = described

    def _in_machine(
        self, names: Sequence[str], machine: str, status: Status, listed: dict[str, Any] | None
    ) -> dict[str, Status]:
        """Read how jobs of one machine are, with the calls that one of them needs."""
        whole = None if status.state == State.LOST else listed or self.machines.whole(machine)
        if whole is None:
            return dict.fromkeys(names, status if status.state == State.LOST else Status(State.LOST, "not found"))
        turns = self.machines.turns(machine, whole)
        return {name: status_of(self.machines.status(name, whole, turns)) for name in names}

    def _status(self, name: str, training_job: dict[str, Any]) -> Status:
        is_own = training_job["TrainingJobName"] == name
        return status_of(training_job if is_own else self.machines.status(name, training_job))
