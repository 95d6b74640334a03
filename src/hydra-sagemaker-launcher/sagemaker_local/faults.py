"""Faults of a cloud, injected on request: set in code, on the command line or over HTTP, and changed while the server runs."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagemaker_local.account import ACCOUNT
from sagemaker_local.errors import ApiError, LocalSageMakerError

XML_SERVICES = ("s3", "iam", "sts")
CALLER = f"arn:aws:iam::{ACCOUNT}:user/local"


@dataclass
class Faults:
    """A field ending in `_jobs` holds a part of the names of the jobs meant: "" means every job, None none."""

    throttled_calls: int = 0
    """This many of every `throttle_period` SageMaker calls, the first ones, are answered with ThrottlingException."""
    throttle_period: int = 4
    instance_quota: dict[str, int] = field(default_factory=dict)
    """Instances of a type that may run at once; a type without an entry has no limit."""
    warm_pools_refused: bool = False
    """Beyond the quota of warm pools CreateTrainingJob is answered with ResourceLimitExceeded, not with a job without pool."""
    start_delay_seconds: float = 0.0
    """Jobs stay Starting for this long, also on machines of a warm pool."""
    capacity_error_jobs: str | None = None
    capacity_error_times: int = 1
    """This many of the jobs meant, the first ones, fail with CapacityError."""
    internal_error_jobs: str | None = None
    internal_error_times: int = 1
    """This many of the jobs meant, the first ones, fail with InternalServerError once their data is downloaded."""
    interrupt_jobs: str | None = None
    """Spot jobs only, as on AWS."""
    interrupt_after_seconds: float = 1.0
    """Training time in each attempt before the interruption."""
    interrupt_times: int = 1
    """Per job."""
    interrupt_unannounced_times: int = 0
    """This many of them, the first ones, come without SIGTERM and without a last copy of the checkpoints."""
    kill_jobs: str | None = None
    """SIGKILL to every process of the job."""
    kill_after_seconds: float = 1.0
    vanish_jobs: str | None = None
    """Describe says they do not exist, lists leave them out; they continue to run."""
    time_scale: float = 1.0
    """Factor by which the clock of MaxRuntimeInSeconds, MaxWaitTimeInSeconds and the reported training time runs faster."""
    fail_put_prefix: str | None = None
    """`bucket/key-prefix`: of the S3 PUTs to it, number `fail_put_number` is answered with AccessDenied."""
    fail_put_number: int = 1
    denied_reads: str | None = None
    """A part of `bucket/key`: objects whose GetObject is answered with AccessDenied, to clients."""
    expired_credentials: bool = False
    denied_operations: list[str] = field(default_factory=list)
    """Operations, for example CreateTrainingJob or HeadBucket, answered with AccessDenied, to clients and jobs."""

    def update(self, values: Mapping[str, Any]) -> None:
        """Set the fields given. Raises LocalSageMakerError, having changed nothing, on an unknown field or a wrong type."""
        for name, value in values.items():
            _check(name, value)
        for name, value in values.items():
            setattr(self, name, value)

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set the fields given, and all others to their defaults."""
        self.update(dataclasses.asdict(Faults()) | dict(values))

    @classmethod
    def parse(cls, assignments: Iterable[str]) -> Faults:
        """Read NAME=VALUE assignments; a quota is written TYPE:COUNT,TYPE:COUNT."""
        faults = cls()
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            faults.update({name: _value(name, text)})
        return faults


def is_meant(pattern: str | None, job_name: str) -> bool:
    return pattern is not None and pattern in job_name


class FaultCounters:
    """Counts requests and jobs for the faults that hit the Nth request or the first N jobs."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def _count(self, kind: str) -> int:
        with self._lock:
            self._counts[kind] += 1
            return self._counts[kind]

    def restart(self) -> None:
        with self._lock:
            self._counts.clear()

    def on_call(self, service: str, operation: str) -> None:
        """Count a call. Raises ThrottlingException, ExpiredTokenException or AccessDeniedException."""
        if self.faults.expired_credentials:
            code = "ExpiredToken" if service in XML_SERVICES else "ExpiredTokenException"
            raise ApiError(code, "The security token included in the request is expired")
        if operation in self.faults.denied_operations:
            code = "AccessDenied" if service in XML_SERVICES else "AccessDeniedException"
            message = f"User: {CALLER} is not authorized to perform: {service}:{operation}"
            raise ApiError(code, message, status=403 if service in XML_SERVICES else 400)
        if service == "sagemaker" and self.faults.throttled_calls:
            if (self._count("calls") - 1) % self.faults.throttle_period < self.faults.throttled_calls:
                raise ApiError("ThrottlingException", "Rate exceeded")

    def on_put(self, bucket_and_key: str) -> None:
        prefix = self.faults.fail_put_prefix
        if prefix is not None and bucket_and_key.startswith(prefix):
            if self._count(f"put {prefix}") == self.faults.fail_put_number:
                raise ApiError("AccessDenied", "Access Denied", status=403)

    def on_read(self, bucket_and_key: str) -> None:
        if self.faults.denied_reads is not None and self.faults.denied_reads in bucket_and_key:
            raise ApiError("AccessDenied", "Access Denied", status=403)

    def hits(self, fault: str, job_name: str) -> bool:
        """Tell whether a job is among the first ones that are meant; `fault` is capacity_error or internal_error."""
        pattern = getattr(self.faults, f"{fault}_jobs")
        return is_meant(pattern, job_name) and self._count(f"{fault} {pattern}") <= getattr(self.faults, f"{fault}_times")


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "dict[str, int]": (dict,),
    "list[str]": (list,),
}


def _type_of(name: str) -> str:
    types = {entry.name: str(entry.type) for entry in dataclasses.fields(Faults)}
    if name not in types:
        raise LocalSageMakerError(f"there is no fault {name!r}; faults: {', '.join(types)}")
    return types[name]


def _check(name: str, value: Any) -> None:
    expected = _type_of(name)
    valid = isinstance(value, _TYPES[expected]) and (type(value) is bool) == (expected == "bool")
    if valid and expected == "dict[str, int]":
        valid = all(isinstance(count, int) for count in value.values())
    if valid and expected == "list[str]":
        valid = all(isinstance(entry, str) for entry in value)
    if not valid:
        raise LocalSageMakerError(f"the fault {name} wants {expected}, not {value!r}")
    if name in ("throttle_period", "fail_put_number", "time_scale") and not value > 0:
        raise LocalSageMakerError(f"the fault {name} is more than 0, not {value!r}")


def _value(name: str, text: str) -> Any:
    expected = _type_of(name)
    try:
        if expected == "str | None":
            return text
        if expected == "list[str]":
            return text.split(",") if text else []
        if expected == "dict[str, int]":
            return {kind: int(count) for kind, count in (entry.split(":") for entry in text.split(","))}
        return json.loads(text)
    except ValueError:
        form = "TYPE:COUNT,TYPE:COUNT" if expected == "dict[str, int]" else expected
        raise LocalSageMakerError(f"the fault {name} is written {name}={form}, not {name}={text}") from None
