"""A SageMaker that lives in a simulated clock: weeks of training jobs pass in a minute, with an account's limits and bad luck.

It stands where boto3's client stands, so that the launcher's own backend makes the calls, reads the answers and is throttled.
botocore would hide most throttling from it by two tries of its own; here the launcher sees every one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from hydra_sagemaker.aws.storage import Storage
from hydra_sagemaker.backends.sagemaker import SageMakerBackend
from hydra_sagemaker.code.requirements import Requirements
from hydra_sagemaker.code.source import Code
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.runner.record import success_record
from hydra_sagemaker.scheduling.backoff import TokenBucket
from hydra_sagemaker.settings import CodeConf, SageMakerLauncherConf

LATENCY_SECONDS = {"list": 0.2, "describe": 0.1, "create": 0.15}
CALLS_PER_SECOND = {"list": 2.0, "describe": 10.0, "create": 10.0}
PUT_SECONDS, COLLECT_SECONDS = 0.05, 1.0
NO_CAPACITY = "CapacityError: Unable to provision requested ML compute capacity. Please retry using another instance type."
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."


class SimulatedClock:
    """Time passes only when somebody waits for something."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_noted: Callable[[], bool] = lambda: False
        """Whether the time that passes now shall be remembered."""
        self._noted: list[tuple[float, float]] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        begin, self.seconds = self.seconds, self.seconds + seconds
        if not self.is_noted():
            return
        if self._noted and self._noted[-1][1] == begin:
            begin = self._noted.pop()[0]
        self._noted.append((begin, self.seconds))

    def noted_of(self, begin: float, end: float) -> float:
        """Seconds between the two times that were to be remembered."""
        return sum(max(0.0, min(end, last) - max(begin, first)) for first, last in self._noted)


@dataclass
class World:
    """What an account has, and how its jobs fare. Times in seconds."""

    slots: int = 100
    minutes: float = 30.0
    """Median of the durations, which are log-normal: with this spread 95 of 100 jobs take from 0.38 to 2.7 times as long."""
    spread: float = 0.5
    startup_seconds: tuple[float, float] = (120.0, 240.0)
    without_capacity: float = 0.01
    """Share of the attempts that fail instead of starting."""
    broken: float = 0.01
    """Share that an error of the service ends half-way."""


@dataclass(slots=True)
class Attempt:
    name: str
    created: float
    started: float
    """Training, after the machine has started up."""
    ended: float
    failure: str = ""

    def summary(self, now: float) -> dict[str, Any]:
        ended = self.ended <= now
        detail = ("Failed" if self.failure else "Completed") if ended else "Training" if self.started <= now else "Starting"
        described: dict[str, Any] = {"TrainingJobName": self.name, "SecondaryStatus": detail}
        described["TrainingJobStatus"] = detail if ended else "InProgress"
        described["TrainingJobArn"] = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{self.name}"
        described["CreationTime"] = datetime.fromtimestamp(self.created, UTC)
        if ended:
            seconds = int(self.ended - self.started)
            described |= {"TrainingEndTime": datetime.fromtimestamp(self.ended, UTC), "BillableTimeInSeconds": seconds}
            described |= {"TrainingTimeInSeconds": seconds} | ({"FailureReason": self.failure} if self.failure else {})
        return described


@dataclass
class Service:
    """What the launcher needs of boto3's client for SageMaker, and of the one for logs."""

    clock: SimulatedClock
    random: Random
    world: World
    calls: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    """Creates beyond the quota."""

    def __post_init__(self) -> None:
        self.attempts: dict[str, Attempt] = {}
        self._request: Mapping[str, Any] = {}
        self._in_progress: dict[str, Attempt] = {}
        self._buckets = {name: TokenBucket(rate, burst=int(rate)) for name, rate in CALLS_PER_SECOND.items()}

    def create_training_job(self, **request: Any) -> None:
        now = self._called("create")
        slots = self.world.slots
        if len(self._running(now)) >= slots:
            self.refused += 1
            kind = request["ResourceConfig"]["InstanceType"]
            said = f"The account-level service limit '{kind} for training job usage' is {slots} Instances, with current "
            said += f"utilization of {slots} Instances and a request delta of 1 Instances."
            raise refusal("ResourceLimitExceeded", said)
        name = request["TrainingJobName"]
        assert name not in self.attempts, f"{name} was submitted twice"
        self._request = self._request or request  # the same of all, and one is enough of it
        self.attempts[name] = self._in_progress[name] = self._attempt(name, now)

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        now = self._called("describe")
        if TrainingJobName not in self.attempts:
            raise refusal("ValidationException", "Requested resource not found.")
        return {**self._request, **self.attempts[TrainingJobName].summary(now)}

    def get_paginator(self, operation: str) -> Service:
        raise refusal("ResourceNotFoundException", "The specified log group does not exist.")  # of a job that never started

    def list_training_jobs(
        self, *, MaxResults: int, NameContains: str, NextToken: str = "0", StatusEquals: str | None = None
    ) -> dict[str, Any]:
        now = self._called("list")
        found = self._running(now) if StatusEquals == "InProgress" else self.attempts
        summaries = [attempt.summary(now) for name, attempt in found.items() if NameContains in name]
        first = int(NextToken)
        page: dict[str, Any] = {"TrainingJobSummaries": summaries[first : first + MaxResults]}
        return page | ({"NextToken": str(first + MaxResults)} if first + MaxResults < len(summaries) else {})

    def _called(self, operation: str) -> float:
        """The time at which the call is answered."""
        self.calls[operation] += 1
        arrived, bucket = self.clock.now(), self._buckets[operation]
        allowed = bucket.ready_at(arrived) <= arrived
        self.clock.sleep(LATENCY_SECONDS[operation])
        if not allowed:
            self.throttled[operation] += 1
            raise refusal("ThrottlingException", "Rate exceeded")
        bucket.take(arrived)
        return self.clock.now()

    def _running(self, now: float) -> dict[str, Attempt]:
        for name in [name for name, attempt in self._in_progress.items() if attempt.ended <= now]:
            del self._in_progress[name]
        return self._in_progress

    def _attempt(self, name: str, now: float) -> Attempt:
        luck, world = self.random.random(), self.world
        started = now + self.random.uniform(*world.startup_seconds)
        ended = started + 60 * self.random.lognormvariate(math.log(world.minutes), world.spread)
        if luck < world.without_capacity:
            return Attempt(name, now, started, started, NO_CAPACITY)
        if luck < world.without_capacity + world.broken:
            return Attempt(name, now, started, (started + ended) / 2, INTERNAL)
        return Attempt(name, now, started, ended)


class SimulatedStorage(Storage):
    def __init__(self, clock: SimulatedClock, settings: SageMakerLauncherConf) -> None:
        super().__init__(None, settings)
        self.clock = clock

    def put_bundle(self, sha256: str, code: Code, requirements: Requirements) -> None:
        self.clock.sleep(COLLECT_SECONDS)

    def put_spec(self, name: str, text: str) -> None:
        self.clock.sleep(PUT_SECONDS)

    def collect(self, job: Job, described: dict[str, Any]) -> tuple[dict[str, Any] | None, None]:
        self.clock.sleep(COLLECT_SECONDS)
        return None if described.get("FailureReason") else success_record({"accuracy": 0.9, "loss": 0.3}), None


class SimulatedBackend(SageMakerBackend):
    """The launcher's own, with other ends to its wires."""

    def __init__(self, settings: SageMakerLauncherConf, application: Path, service: Service) -> None:
        super().__init__(settings, Code.of(CodeConf(root=str(application)), application), None)
        self.clients.sagemaker = self.clients.logs = service
        self.storage = SimulatedStorage(service.clock, settings)


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "simulated")
