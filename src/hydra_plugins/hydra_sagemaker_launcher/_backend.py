"""Where jobs run: what the tracker asks of SageMaker and of this machine alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from hydra_plugins.hydra_sagemaker_launcher._jobs import Job
from hydra_plugins.hydra_sagemaker_launcher._spec import Spec


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
    reason: str = ""
    """Of an end without a result."""
    next_step: str = ""
    value: Any = None
    record: dict[str, Any] = field(default_factory=dict)


class NoRoom(Exception):
    """The job cannot be taken now; later it can."""


class Backend(Protocol):
    def existing(self, jobs: Sequence[Job]) -> dict[str, Existing]:
        """By key, of jobs that were submitted before."""
        ...

    def submit(self, job: Job, name: str, spec: Spec) -> bool:
        """False: a job of this name is there already.

        Raises:
            NoRoom: not now.
            LauncherError: never like this.
        """
        ...

    def poll(self, names: Collection[str]) -> dict[str, Status]: ...

    def collect(self, job: Job, name: str, status: Status) -> Outcome: ...

    def stop(self, names: Collection[str]) -> None: ...
