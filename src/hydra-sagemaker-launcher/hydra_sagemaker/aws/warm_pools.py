"""The machines that decide which warm pool a job takes, read from a request and from the description of a job.

https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hydra_sagemaker.aws.request import merged
from hydra_sagemaker.pricing.cost import ENDED
from hydra_sagemaker.settings import SageMakerLauncherConf

RESOURCES = ("InstanceType", "InstancePreferences", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
NETWORK = ("Subnets", "SecurityGroupIds")
SWITCHES = ("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation")
USAGE = "training warm pool usage"
"""Part of the quota's name, and of the refusal beyond it."""


class WarmPool(NamedTuple):
    """WarmPoolStatus of a job."""

    status: str
    """InUse, Available, Reused or Terminated; empty for a job without a pool."""
    kept_seconds: int | None = None
    """Billed for each machine; known when the pool is Reused or Terminated."""
    reused_by: str = ""
    shape: str = ""
    """The machines, as `shape_of` writes them."""
    instance_type: str = ""
    instance_count: int = 1
    keep_seconds: int = 0
    had_machines: bool = True
    has_ended: bool = True
    """True when the job does not run any more."""
    ended_at: float | None = None
    """The job's end, in seconds since 1970, where it is known."""
    is_stopping: bool = False
    """The job was told to stop, and has not ended."""
    has_failed: bool = False
    """The job failed, and its machines may be of no use to another."""

    @property
    def is_live(self) -> bool:
        return self.status in ("InUse", "Available")


def warm_pool_of(described: Mapping[str, Any]) -> WarmPool:
    """Read the pool from DescribeTrainingJob."""
    found = described.get("WarmPoolStatus") or {}
    return WarmPool(
        str(found.get("Status", "")),
        found.get("ResourceRetainedBillableTimeInSeconds"),
        str(found.get("ReusedByJob", "")),
        shape_of(described),
        str(described["ResourceConfig"].get("InstanceType")),
        described["ResourceConfig"].get("InstanceCount") or 1,
        described["ResourceConfig"].get("KeepAlivePeriodInSeconds", 0),
        "TrainingStartTime" in described,
        described["TrainingJobStatus"] in ENDED,
        ended.timestamp() if isinstance(ended := described.get("TrainingEndTime"), datetime) else None,
        described["TrainingJobStatus"] == "Stopping",
        described["TrainingJobStatus"] == "Failed",
    )


def shape_of(request: Mapping[str, Any]) -> str:
    """Return what has to be equal for a job to take a pool: machines, role and network, not image, data or environment."""
    resources, network = request["ResourceConfig"], request.get("VpcConfig") or {}
    parts: list[Any] = [request["RoleArn"], *(resources.get(name) for name in RESOURCES)]
    parts += [sorted(network.get(name) or ()) for name in NETWORK]
    return json.dumps([*parts, *(bool(request.get(name)) for name in SWITCHES)])


def shape_of_settings(settings: SageMakerLauncherConf) -> str:
    """Return the same for a job that is not submitted yet."""
    resources = {
        "InstanceType": settings.instance_type,
        "InstanceCount": settings.instance_count,
        "VolumeSizeInGB": settings.volume_gb,
    }
    return shape_of(merged({"RoleArn": settings.role_arn, "ResourceConfig": resources}, settings.extra))
