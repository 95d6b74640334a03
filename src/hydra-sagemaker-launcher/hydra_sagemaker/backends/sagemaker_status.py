"""Reads the answers of DescribeTrainingJob, ListTrainingJobs and a refused CreateTrainingJob.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hydra_sagemaker.aws.storage import output_of
from hydra_sagemaker.backends.base import QuotaExceeded, State, Status
from hydra_sagemaker.errors import plain
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.cost import billed
from hydra_sagemaker.pricing.prices import Prices

STATES = {"Completed": State.COMPLETED, "Failed": State.FAILED, "Stopped": State.STOPPED}
"""By TrainingJobStatus; the others, InProgress and Stopping, are of jobs that run."""
LIMIT = r"is (\d+) Instances"
QUOTA = re.compile(LIMIT + r".* request delta of (\d+) Instances", re.DOTALL)
KEPT = """
TrainingJobArn TrainingJobStatus SecondaryStatus FailureReason CreationTime TrainingStartTime TrainingEndTime
TrainingTimeInSeconds BillableTimeInSeconds
""".split()


def status_of(summary: Mapping[str, Any]) -> Status:
    """Return the status in a listing or a description. A status that this version does not know counts as running."""
    name = summary["TrainingJobStatus"]
    return Status(STATES.get(name, State.RUNNING), plain(str(summary.get("SecondaryStatus") or name)))


def record_of(
    described: dict[str, Any], result: Mapping[str, Any] | None, console: str | None, prices: Prices
) -> dict[str, Any]:
    record: dict[str, Any] = {"mode": "sagemaker", **{name: described[name] for name in KEPT if name in described}}
    record["instance_type"] = described["ResourceConfig"].get("InstanceType")
    record["instance_count"] = described["ResourceConfig"].get("InstanceCount")
    record["spot"] = bool(described.get("EnableManagedSpotTraining"))
    changes = described.get("SecondaryStatusTransitions", ())
    record["interruptions"] = sum(one.get("Status") == "Interrupted" for one in changes)  # AWS took a spot instance back
    record["image"] = described["AlgorithmSpecification"].get("TrainingImage")
    if (machine := described.get("Machine")) is not None:
        record["machine"] = machine
    if console is not None:
        record["url"] = f"{console}/{machine or described['TrainingJobName']}"
    record["output"] = output_of(described)
    if checkpoints := described.get("CheckpointConfig", {}).get("S3Uri"):
        record["checkpoints"] = checkpoints
    model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if model and result is not None and result.get("model_files"):
        record["model"] = model
        record["model_files"] = result["model_files"]
    if result is not None and result.get("version_skew"):
        record["version_skew"] = result["version_skew"]
    record["cost"] = billed(described, prices) | ({"is_estimate": True} if described.get("BillIsOpen") else {})
    return record


def quota_exceeded(message: str, job: Job) -> QuotaExceeded:
    """Explain a refusal of CreateTrainingJob; permanent when the job alone wants more than the whole quota."""
    match = QUOTA.search(message)
    usage = f"{job.settings.instance_type} for {'spot ' if job.settings.spot else ''}training job usage"
    step = (
        f"request a higher quota (Service Quotas, Amazon SageMaker, '{usage}'), "
        "or another hydra.launcher.instance_type; then the same command"
    )
    return QuotaExceeded(message, permanent=match is not None and int(match[2]) > int(match[1]), next_step=step)
