"""Turns the outcome of a job into what a sweeper expects."""

from __future__ import annotations

import importlib
import json
import logging
from dataclasses import asdict
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from hydra_sagemaker.aws.logs import clean
from hydra_sagemaker.backends.base import Outcome, Status
from hydra_sagemaker.errors import Cause, Failure, RemoteJobError
from hydra_sagemaker.files import write_atomically
from hydra_sagemaker.job.identity import without_hydra
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.result import read_result, rebuilt, returned_value

log = logging.getLogger(__name__)


class LaunchedReturn(JobReturn):
    """Takes what it says of the configuration from its job, when somebody reads it: a sweeper gets the returns of thousands of
    jobs, and most read the value alone."""

    def __init__(self, job: Job, name: str, status: JobStatus, value: Any) -> None:
        self._job, self._name = job, name
        self.status, self._return_value, self.working_dir = status, value, str(job.output_dir)

    @property
    def hydra_cfg(self) -> DictConfig:  # type: ignore[override]
        config = self._job.config
        with open_dict(config.hydra), read_write(config.hydra):
            config.hydra.job.id = self._name
            config.hydra.runtime.output_dir = self.working_dir
        return config

    @property
    def cfg(self) -> DictConfig:  # type: ignore[override]
        return without_hydra(self._job.config)

    @property
    def overrides(self) -> list[str]:  # type: ignore[override]
        return list(OmegaConf.to_container(self._job.config.hydra.overrides.task))  # type: ignore[arg-type]

    @property
    def task_name(self) -> str:  # type: ignore[override]
        return str(self._job.config.hydra.job.name)


class SubmittedJob:
    """Stands for the value of a job that runs on: Hydra knows no such state, and a sweeper must not take it for a number."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"SubmittedJob({self.name!r})"

    def __float__(self) -> float:
        raise TypeError(f"{self.name} has no value yet: it was submitted with hydra.launcher.wait=false")


def job_return(job: Job, name: str, outcome: Outcome, task_package: str | None) -> JobReturn:
    """Write record.json and return the value; a failure is a FAILED return, with the job's exception or a RemoteJobError."""
    job.job_dir.mkdir(parents=True, exist_ok=True)
    status, failure = outcome.status, outcome.failure
    record: dict[str, object] = {"name": name, "state": status.state.value, "detail": status.detail, **outcome.record}
    record |= {"failure": asdict(failure)} if failure is not None else {}
    write_atomically(job.job_dir / "record.json", json.dumps(record, indent=1, default=str))
    return _returned(job, name, outcome, task_package)


def past_return(job: Job, name: str, status: Status, record: dict[str, Any], task_package: str | None) -> JobReturn:
    """Return what `job_return` did when the job was collected, from its files."""
    result = read_result(job.job_dir)
    failure = Failure(**record["failure"] | {"cause": Cause(record["failure"]["cause"])}) if "failure" in record else None
    value = returned_value(result, job.job_dir, own_process=False)
    return _returned(job, name, Outcome(status, result, failure, value), task_package)


def _returned(job: Job, name: str, outcome: Outcome, task_package: str | None) -> JobReturn:
    result, failure = outcome.result, outcome.failure
    if outcome.is_completed and result is not None and "not_json" in result:
        return _without_value(job, name, str(result["not_json"]))
    if outcome.is_completed:
        return LaunchedReturn(job, name, JobStatus.COMPLETED, outcome.value)
    if result is not None and result["status"] == "failed" and "exception" in result:
        error = rebuilt(result["exception"], task_package)
    elif failure is None:
        error = RemoteJobError(f"{job}, {name}: it ended as {outcome.status.state.value} ({outcome.status.detail})")
    else:  # what the task raised when it was told to end says less than who told it
        error = RemoteJobError(f"{job}, {name}: {failure}")
    return LaunchedReturn(job, name, JobStatus.FAILED, error)


def _without_value(job: Job, name: str, shown: str) -> JobReturn:
    """Name a value that JSON cannot hold; to a sweeper that needs it, the job has failed."""
    told = f"{job}, {name}: its return value was not downloaded, since JSON cannot hold it: {clean(shown, colours=False)}"
    if (sweeper := sweeper_by_values(job.config)) is None:
        log.warning("%s", told)
        return LaunchedReturn(job, name, JobStatus.COMPLETED, None)
    way = f"{sweeper} needs the value: return a number, or a list of numbers"
    return LaunchedReturn(job, name, JobStatus.FAILED, RemoteJobError(f"{told}\n{way}"))


def sweeper_by_values(config: DictConfig) -> str | None:
    """Return the name of a sweeper that chooses jobs by the values of others; None for Hydra's own, and where there is none."""
    if (target := config.hydra.get("sweeper", {}).get("_target_")) is None:
        return None
    module, _, name = str(target).rpartition(".")
    sweeper = getattr(importlib.import_module(module), name)
    return None if issubclass(sweeper, BasicSweeper) else sweeper.__name__
