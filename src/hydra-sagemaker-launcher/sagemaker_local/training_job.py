"""The state of one training job: its request, its status, and the results of its run."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from hydra_sagemaker.aws.request_limits import service_model
from sagemaker_local.account import arn
from sagemaker_local.warm_pools import Pool

FINISHED = ("Completed", "Failed", "Stopped")
DEFAULT_MAX_RUNTIME_SECONDS = 86_400
FAILURE_REASON_CHARACTERS = 1024
SPOT_PRICE = 0.3
"""Billable part of the training time of a spot job: an invented part, lower than the whole."""


@dataclass(eq=False)
class TrainingJob:
    request: dict[str, Any]
    status: str = "InProgress"
    secondary_status: str = "Starting"
    created: float = field(default_factory=time.time)
    started: float | None = None
    """Beginning of the download, once there are instances, in seconds since the epoch."""
    ended: float | None = None
    updated: float = 0.0
    """Time of the last UpdateTrainingJob."""
    transitions: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    """Fields of DescribeTrainingJob that only a run can fill."""
    is_taken: bool = False
    """True once a runner has begun with it; until then it waits in the queue."""
    warm_from: Pool | None = None
    """The pool whose machines it has taken."""
    pool: Pool | None = None
    """The pool that its own machines will be, if it asked for one and the quota allowed it."""
    stop_requested: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        return self.request["TrainingJobName"]

    @property
    def arn(self) -> str:
        return arn("training-job", self.name)

    @property
    def instance_type(self) -> str:
        return self.request["ResourceConfig"]["InstanceType"]

    @property
    def instance_count(self) -> int:
        return self.request["ResourceConfig"]["InstanceCount"]

    @property
    def is_spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def max_runtime_seconds(self) -> int:
        return self.request["StoppingCondition"].get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)

    @property
    def max_wait_seconds(self) -> float:
        """Limit from creation to end; only spot jobs have one."""
        return self.request["StoppingCondition"]["MaxWaitTimeInSeconds"] if self.is_spot else float("inf")

    def enter(self, secondary_status: str, message: str) -> None:
        now = time.time()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": message})
        self.secondary_status = secondary_status

    def finish(self, status: str, secondary_status: str, message: str, *, time_scale: float) -> None:
        self.enter(secondary_status, message)
        self.status, self.ended = status, time.time()
        self.transitions[-1]["EndTime"] = self.ended
        if self.started is not None:
            seconds = round((self.ended - self.started) * time_scale + 0.5)
            self.results["TrainingTimeInSeconds"] = seconds
            self.results["BillableTimeInSeconds"] = int(seconds * SPOT_PRICE) if self.is_spot else seconds
        if self.pool is not None:
            self.pool.leave(self.request["ResourceConfig"]["KeepAlivePeriodInSeconds"])
        elif self.warm_from is not None:
            shutil.rmtree(self.warm_from.directory, ignore_errors=True)
        if status == "Failed":
            self.results["FailureReason"] = message[:FAILURE_REASON_CHARACTERS]

    def describe(self) -> dict[str, Any]:
        times = {"TrainingStartTime": self.started, "TrainingEndTime": self.ended}
        return {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            "EnableManagedSpotTraining": False,
            **{name: value for name, value in self.request.items() if name != "Tags"},
            "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME_SECONDS} | self.request["StoppingCondition"],
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": [dict(transition) for transition in self.transitions],
            "CreationTime": self.created,
            "LastModifiedTime": max(self.transitions[-1]["StartTime"] if self.transitions else self.created, self.updated),
            **{name: value for name, value in times.items() if value is not None},
            **self.results,
            **({"WarmPoolStatus": self.pool.described()} if self.pool is not None else {}),
        }

    def summary(self) -> dict[str, Any]:
        shape: Any = service_model().shape_for("TrainingJobSummary")
        return {name: value for name, value in self.describe().items() if name in shape.members}
