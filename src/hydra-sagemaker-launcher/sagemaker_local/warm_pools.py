"""Warm pools: machines that a job leaves behind, and that the next job with the same machines takes.

https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.errors import ApiError, LocalSageMakerError, invalid

CACHE_VARIABLE = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"
LONGEST_SECONDS = 3600
"""As AWS's guide says; its service model allows 21600."""
RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


@dataclass
class Machines:
    """Seconds that machines take to start, and the quota of warm pools. A change while the server runs counts for new jobs."""

    start_seconds: float = 0.0
    """Start of machines that are not in a warm pool: the job is Starting, which AWS does not bill."""
    image_seconds: float = 0.0
    """Download of the image, on machines that lack it: the job is Downloading, which AWS bills."""
    warm_start_seconds: float = 0.0
    """Start of machines that are in a warm pool."""
    warm_pools: int = 0
    """Instances of each type that may be in warm pools, busy or idle; AWS begins with 0 and then keeps none, silently."""
    pool_delay_seconds: float = 1.0
    """Between the end of a job and the time at which its pool is Available."""
    pool_end_seconds: float = 1.0
    """Between the call that ends a pool and the time at which it is Terminated."""

    def __post_init__(self) -> None:
        """Raise LocalSageMakerError for negative values."""
        for name, value in vars(self).items():
            if value < 0:
                raise LocalSageMakerError(f"{name} is at least 0, not {value}")


@dataclass(eq=False)
class Pool:
    """The machines of one job, from its start to the time when another job takes them or they are given back."""

    shape: str
    instance_type: str
    instance_count: int
    image: str
    directory: Path
    """The caches, which the next job finds again; one for each host."""
    keep_seconds: int
    delay_seconds: float
    end_seconds: float
    has_started: bool = False
    left_at: float | None = None
    """The end of the job, in seconds since the epoch."""
    ends_at: float | None = None
    """When it will have ended that was told to end."""
    ended_at: float | None = None
    """The end of the waiting time, which is billed."""
    reused_by: str = ""

    @property
    def status(self) -> str:
        if self.reused_by:
            return "Reused"
        if self.ended_at is not None:
            return "Terminated"
        is_ready = self.left_at is not None and time.time() >= self.left_at + self.delay_seconds
        return "Available" if is_ready else "InUse"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    def leave(self, keep_seconds: int) -> None:
        """Begin to wait: the job has ended."""
        self.left_at, self.keep_seconds = time.time(), keep_seconds
        if not keep_seconds or not self.has_started:
            self.end(self.left_at)

    def expire(self) -> None:
        """End the pool if its time is over."""
        if not self.is_live or self.left_at is None:
            return
        until = self.left_at + self.keep_seconds
        if time.time() >= (at := until if self.ends_at is None else min(until, self.ends_at)):
            self.end(at)

    def keep(self, seconds: int) -> None:
        """Change how long an Available pool waits; with 0 it ends a moment later, and no job takes it meanwhile."""
        if seconds:
            self.keep_seconds = seconds
        elif self.ends_at is None:
            self.ends_at = time.time() + self.end_seconds

    def end(self, at: float) -> None:
        self.ended_at = at
        shutil.rmtree(self.directory, ignore_errors=True)

    def cache(self, host: int) -> Path:
        """Return the directory that survives in the pool; `host` counts from 0."""
        directory = self.directory / f"algo-{host + 1}"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def described(self) -> dict[str, Any]:
        """Return WarmPoolStatus as DescribeTrainingJob has it: the billed time when the pool is Reused or Terminated."""
        self.expire()
        found: dict[str, Any] = {"Status": self.status}
        if self.left_at is not None and self.ended_at is not None and self.has_started:
            found["ResourceRetainedBillableTimeInSeconds"] = math.ceil(self.ended_at - self.left_at)
        return found | ({"ReusedByJob": self.reused_by} if self.reused_by else {})


class WarmPools:
    """The pools of the account. The caller holds the lock of the jobs."""

    def __init__(self, machines: Machines, root: Path) -> None:
        self.machines, self.root = machines, root

    def taken(self, name: str, request: dict[str, Any], pools: Iterable[Pool]) -> Pool | None:
        """Return the Available pool that the job takes, which is Reused then; None where none has the same machines."""
        shape = shape_of(request)
        for pool in pools:
            pool.expire()
            if pool.shape == shape and pool.status == "Available" and pool.ends_at is None:
                pool.ended_at, pool.reused_by = time.time(), name
                return pool
        return None

    def granted(
        self, name: str, request: dict[str, Any], taken: Pool | None, pools: Iterable[Pool], *, refuses: bool
    ) -> Pool | None:
        """Return the pool of a new job that asks for one; None beyond the quota, as on AWS.

        Raises ApiError: ResourceLimitExceeded beyond the quota, with `refuses`.
        """
        resources = request["ResourceConfig"]
        if not (seconds := resources.get("KeepAlivePeriodInSeconds")):
            return None
        kind, count = resources["InstanceType"], resources["InstanceCount"]
        used = sum(pool.instance_count for pool in pools if pool.is_live and pool.instance_type == kind)
        if used + count > (quota := self.machines.warm_pools):
            if refuses:
                raise ApiError("ResourceLimitExceeded", over_quota(f"{kind} for training warm pool usage", quota, used, count))
            return None
        directory = taken.directory if taken else self.root / "warm-pools" / name
        image = request["AlgorithmSpecification"]["TrainingImage"]
        times = self.machines.pool_delay_seconds, self.machines.pool_end_seconds
        return Pool(shape_of(request), kind, count, image, directory, seconds, *times, has_started=taken is not None)


def check_keep_alive(seconds: int, *, is_spot: bool) -> None:
    """Raise ApiError for a KeepAlivePeriodInSeconds that AWS refuses."""
    if seconds > LONGEST_SECONDS:
        raise invalid(f"Invalid KeepAlivePeriodInSeconds {seconds}. It must be less than or equal to {LONGEST_SECONDS} seconds")
    if seconds and is_spot:
        raise invalid("KeepAlivePeriodInSeconds is not supported with EnableManagedSpotTraining")


def shape_of(request: dict[str, Any]) -> str:
    """Return the part of a request that has to be equal for a job to take a pool: not the image, data or environment."""
    resources, network = request["ResourceConfig"], request.get("VpcConfig", {})
    parts: list[Any] = [request["RoleArn"], *(resources.get(name) for name in RESOURCES)]
    parts += [sorted(network.get(name, ())) for name in ("Subnets", "SecurityGroupIds")]
    parts += [bool(request.get(f"Enable{name}")) for name in ("InterContainerTrafficEncryption", "NetworkIsolation")]
    return json.dumps(parts)


def over_quota(usage: str, quota: int, used: int, delta: int) -> str:
    """Return AWS's words for a request beyond a quota of instances."""
    return (
        f"The account-level service limit '{usage}' is {quota} Instances, with current utilization of {used} Instances "
        f"and a request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for this quota."
    )
