"""The costs of attempts: of jobs that ended before the machine that they share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from hydra_sagemaker.backends.base import Backend, Outcome
from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.scheduling.submission import Submission
from hydra_sagemaker.scheduling.written_records import correct

log = logging.getLogger(__name__)
FIELDS = {"TrainingTimeInSeconds": "training_seconds", "BillableTimeInSeconds": "billable_seconds"}
"""Fields of a record, as SageMaker names them, and those of its cost with the same value."""

Settled = Callable[[Submission, str, dict[str, Any]], None]


def ending(outcome: Outcome) -> dict[str, Any]:
    """Return the cause of a failure and the cost, as far as there are any."""
    found = {"cause": outcome.failure and outcome.failure.cause.value, "cost": outcome.record.get("cost")}
    return {name: value for name, value in found.items() if value}


class OpenBills:
    """Keeps jobs that were collected while their machine still ran: what it costs is known, and shared out, at its end."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._open: dict[str, list[tuple[Submission, str, dict[str, Any]]]] = {}
        """Submission, name of the attempt and estimated cost, by machine."""

    def note(self, submission: Submission, settled: Settled) -> None:
        """Take a job that was just collected. If its machine has ended, settle the bills of the others in it.

        `settled` is called with each of those, the name of its attempt and the cost, which its record has already.
        """
        record = {} if submission.outcome is None else submission.outcome.record
        machine, cost = record.get("machine"), record.get("cost")
        if machine is None or cost is None:
            return
        if cost.get("is_estimate"):
            self._open.setdefault(machine, []).append((submission, submission.name, cost))
            return
        for other, name, estimated in self._open.pop(machine, ()):
            try:
                final = self.backend.final_cost(name)
            except LauncherError as error:
                log.warning("%s: its share of the bill is not known yet: %s", other.job, str(error).splitlines()[0])
                continue
            if final is not None:
                estimated.pop("is_estimate", None)
                estimated.update(final)
                _correct(other.job, name, final)
                settled(other, name, final)


def _correct(job: Job, name: str, cost: Mapping[str, Any]) -> None:
    def change(record: dict[str, Any]) -> None:
        if "cost" in record:
            record["cost"] = cost
            record.update({field: cost[seconds] for field, seconds in FIELDS.items() if field in record})

    correct(job, name, change)
