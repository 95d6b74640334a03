"""From what came home to what a sweeper expects."""

from __future__ import annotations

import copy
import json

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf, open_dict, read_write

from hydra_plugins.hydra_sagemaker_launcher._backend import Outcome, State
from hydra_plugins.hydra_sagemaker_launcher._errors import RemoteJobError
from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._result import rebuilt, write_atomically


def job_return(job: Job, name: str, outcome: Outcome, task_package: str | None) -> JobReturn:
    """A failure is a FAILED return, with the exception of the job or a RemoteJobError that says what happened."""
    config = copy.deepcopy(job.config)
    with open_dict(config.hydra), read_write(config.hydra):
        config.hydra.job.id = name
        config.hydra.runtime.output_dir = str(job.output_dir)
    task = copy.deepcopy(config)
    with open_dict(task), read_write(task):
        del task["hydra"]
    returned = JobReturn(
        overrides=list(OmegaConf.to_container(config.hydra.overrides.task)),  # type: ignore[arg-type]
        cfg=task,
        hydra_cfg=config,
        working_dir=str(job.output_dir),
        task_name=config.hydra.job.name,
    )
    if outcome.status.state == State.COMPLETED and outcome.result is not None and outcome.result["status"] == "completed":
        returned.status, returned.return_value = JobStatus.COMPLETED, outcome.value
    else:
        returned.status, returned.return_value = JobStatus.FAILED, _error(job, name, outcome, task_package)
    job.job_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(job.job_dir / "record.json", json.dumps(_record(name, outcome), indent=1, default=str))
    return returned


def _record(name: str, outcome: Outcome) -> dict[str, object]:
    record: dict[str, object] = {
        "name": name,
        "state": outcome.status.state.value,
        "detail": outcome.status.detail,
        **outcome.record,
    }
    return record | ({"reason": outcome.reason, "next_step": outcome.next_step} if outcome.reason else {})


def _error(job: Job, name: str, outcome: Outcome, task_package: str | None) -> Exception:
    if outcome.result is not None and outcome.result["status"] == "interrupted":
        return RemoteJobError(
            f"{job}, {name}: it was stopped (exit code {outcome.result['exit_code']}); the same command goes on"
        )
    if outcome.result is not None and "exception" in outcome.result:
        return rebuilt(outcome.result["exception"], task_package)
    reason = outcome.reason or f"it ended as {outcome.status.state.value} ({outcome.status.detail})"
    step = f"\nNext: {outcome.next_step}" if outcome.next_step else ""
    return RemoteJobError(f"{job}, {name}: {reason}{step}")
