"""Where jobs run: what the tracker asks of SageMaker and of this machine alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from hydra_sagemaker.errors import Failure
from hydra_sagemaker.job.job import Job
from hydra_sagemaker.job.spec import Spec


class State(Enum):
    WAITING = "waiting"
    """Not submitted yet."""
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"
    """Ended without a word, or is not there any more."""

    @property
    def ended(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)


class Status(NamedTuple):
    state: State
    detail: str = ""
    """What the service calls it: Downloading, Training, …"""


class Existing(NamedTuple):
    """The newest attempt at a job."""

    name: str
    attempt: int
    status: Status


@dataclass
class Outcome:
    """What came home of one job; its files lie in the job's output directory."""

    status: Status
    result: dict[str, Any] | None
    """As the runner wrote it; None when it wrote nothing."""
    failure: Failure | None = None
    """Of every end but a completed one."""
    value: Any = None
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def is_completed(self) -> bool:
        return self.status.state == State.COMPLETED and self.result is not None and self.result["status"] == "completed"


class NoRoom(Exception):
    """The job cannot be taken now. Later it can, unless it is `for_ever`: a quota of nothing."""

    def __init__(self, said: str, *, for_ever: bool = False, next_step: str = "") -> None:
        super().__init__(said)
        self.for_ever = for_ever
        self.next_step = next_step


class Backend(Protocol):
    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        """By key, of jobs that were submitted before."""
        ...

    def prepare(self, job: Job, name: str, spec: Spec) -> None:
        """What can be done before the job is there, raising what `submit` raises."""
        ...

    def submit(self, job: Job, name: str, spec: Spec, *, fresh: bool = False) -> bool:
        """Once prepared. False: a job of this name is there. `fresh`: it does not go on from what an earlier attempt kept.

        Raises:
            NoRoom: not now.
            Throttled, Unreachable: not now either, and no other job.
            LauncherError: never like this.
        """
        ...

    def poll(self, names: Collection[str]) -> dict[str, Status]:
        """Of those names that could be asked about.

        Raises:
            Throttled, Unreachable: nothing could be.
        """
        ...

    def collect(self, job: Job, name: str, status: Status) -> Outcome: ...

    def stop(self, names: Collection[str]) -> list[str]:
        """The names of those that could not be told."""
        ...
