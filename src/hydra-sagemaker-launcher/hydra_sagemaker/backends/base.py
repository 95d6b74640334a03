"""The interface of the places where jobs run: SageMaker, and processes of this machine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hydra_sagemaker.aws.logs import Log
from hydra_sagemaker.backends.pools import NO_POOLS, Pools
from hydra_sagemaker.errors import Failure, LauncherError
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec
from hydra_sagemaker.pricing.prices import Prices
from hydra_sagemaker.settings import SageMakerLauncherConf


class State(Enum):
    WAITING = "waiting"
    """Not submitted yet."""
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """Ended without a result, or does not exist any more."""

    @property
    def ended(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)


class Status(NamedTuple):
    state: State
    detail: str = ""
    """The service's own word: Downloading, Training, …"""


class Existing(NamedTuple):
    """The newest attempt at a job."""

    name: str
    attempt: int
    status: Status
    machine: str = ""
    """Name of the training job that it shares with other jobs, if it does."""


@dataclass
class Outcome:
    """The end of a job; its files are in the job's output directory."""

    status: Status
    result: dict[str, Any] | None
    """The record that the runner wrote; None when it wrote none."""
    failure: Failure | None = None
    """Set unless the job completed."""
    value: Any = None
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def is_completed(self) -> bool:
        return self.status.state == State.COMPLETED and self.result is not None and self.result["status"] == "completed"


class QuotaExceeded(Exception):
    """The quota allows no further job now; `permanent`: it never allows this one, however few jobs run."""

    def __init__(self, message: str, *, permanent: bool = False, next_step: str = "") -> None:
        super().__init__(message)
        self.permanent, self.next_step = permanent, next_step


class Backend(Protocol):
    """A place where jobs run. Constructing a backend makes no network call."""

    prices: Prices
    region: str | None
    """The AWS region in use: the configured one, or the one that boto3 finds. None where no region matters."""

    @property
    def pools(self) -> Pools:
        """Return the machines that are kept warm between jobs."""
        return NO_POOLS

    @abstractmethod
    def image(self, settings: SageMakerLauncherConf) -> str:
        """Return what a job with these settings runs in: an image's URI, or this Python."""
        ...

    def preflight(self, jobs: Sequence[Job]) -> None:
        """Refuse jobs that this account, role or bucket cannot run.

        Raises:
            SubmissionRefused: with every problem found.
        """

    def learn_prices(self, jobs: Sequence[Job]) -> None:
        """Ask what an hour of these jobs' machines costs today, where somebody can be asked; `prices` has the answers."""

    def occupied(self, jobs: Sequence[Job]) -> list[str]:
        """Return a sentence for each output directory in which another job still runs."""
        return []

    @abstractmethod
    def log(self, job: Job, name: str, *, lines: int, is_collected: bool) -> Log:
        """Return the job's output, from its last `lines` lines on."""
        ...

    def records_of(self, job: Job, name: str) -> Path:
        """Return the directory of an attempt's specification and result, which may not be there, or be another's."""
        return job.job_dir

    @abstractmethod
    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        """Return the newest attempt at each job that was submitted before, by key."""
        ...

    def machines_of(self, names: Collection[str]) -> dict[str, str]:
        """Return the machine of each of those attempts that exists, empty for one that has its own; asked anew.

        Raises:
            Throttled, Unreachable: it could not be asked now.
        """
        return {}

    def submit_together(self, jobs: Sequence[tuple[Job, str, Spec]]) -> tuple[str, bool]:
        """Start jobs that share a machine, one after the other; return its name, and False if there is one of that name.

        Raises what `submit` raises.
        """
        raise LauncherError("jobs share machines in mode=sagemaker alone")

    def final_cost(self, name: str) -> dict[str, Any] | None:
        """Return what a job did cost that was collected while its machine still ran; None where that is not known yet.

        Raises:
            Throttled, Unreachable: it could not be asked now.
        """
        return None

    def prepare(self, job: Job, name: str, spec: Spec) -> None:
        """Do what can be done before the job exists. Raises what `submit` raises."""

    @abstractmethod
    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        """Start a prepared job. False: a job of this name exists. `fresh`: ignore the checkpoints of earlier attempts.

        Raises:
            QuotaExceeded: not now, unless `permanent`.
            Throttled, Unreachable: no job can be submitted now.
            LauncherError: this job cannot be submitted as it is.
        """
        ...

    @abstractmethod
    def poll(self, names: Collection[str]) -> dict[str, Status]:
        """Return the status of each job that could be asked about.

        Raises:
            Throttled, Unreachable: none could be.
        """
        ...

    def reports(self, job: Job, name: str) -> bytes:
        """Return what a running job has written into `reports.FILE` so far.

        Raises:
            Throttled, Unreachable: it could not be read now.
        """
        return b""

    def request_stop(self, name: str) -> None:
        """Tell a job to end, and do not wait for it.

        Raises:
            Throttled, Unreachable: it could not be told now.
        """

    def statuses(self, names: Collection[str], since: float) -> dict[str, Status]:
        """Return the status of jobs that may have ended long ago; `since`: seconds since 1970, before the first began.

        Raises:
            Throttled, Unreachable: none could be asked about.
        """
        return self.poll(names)

    @abstractmethod
    def collect(self, job: Job, name: str, status: Status) -> Outcome:
        """Bring the files of an ended job into its output directory."""
        ...

    @abstractmethod
    def stop(self, names: Collection[str]) -> list[str]:
        """Stop jobs; return the names of jobs that could not be stopped."""
        ...
