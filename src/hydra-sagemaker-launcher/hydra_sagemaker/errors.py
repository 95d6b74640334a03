"""What the launcher says when it cannot do what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hydra.errors import CompactHydraException


class Cause(StrEnum):
    CODE = "code"
    """The task's own errors, and requests for what is not there."""
    MEMORY = "memory"
    IMPORT = "import"
    TIMEOUT = "timeout"
    STOPPED = "stopped"
    SPOT = "spot"
    QUOTA = "quota"
    CAPACITY = "capacity"
    ROLE = "role"
    """Permissions: of the execution role, or of whoever submits."""
    REGION = "region"
    CREDENTIALS = "credentials"
    NETWORK = "network"
    INFRASTRUCTURE = "infrastructure"
    """The service's own errors, and whatever is none of the others."""


@dataclass(frozen=True)
class Failure:
    cause: Cause
    said: str
    """What happened, a sentence or a few lines."""
    next_step: str
    """A command, or what to change in it."""

    def __str__(self) -> str:
        return f"{self.said}\nNext: {self.next_step}"


class LauncherError(CompactHydraException):
    """What is wrong, what is valid, the next command. Hydra prints these without a traceback."""

    failure: Failure | None = None
    concerns_all = False
    """No other job will fare better: the launch ends."""


class CallFailed(LauncherError):
    """A call of the service."""

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class Throttled(CallFailed):
    """Too many calls, of this account."""


class Unreachable(CallFailed):
    """No answer, or one that says that the service itself is in trouble."""


class NotPermitted(CallFailed):
    """Credentials, a role, a permission, a region."""

    concerns_all = True


class SubmissionRefused(LauncherError):
    """Everything that is wrong with a sweep, found before anything was uploaded.

    Args:
        earlier_jobs: of a sweeper's earlier batches, which are not taken back.
    """

    def __init__(self, problems: Sequence[str], *, earlier_jobs: int = 0) -> None:
        self.problems = list(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        what = f"nothing more was submitted, after {earlier_jobs} jobs" if earlier_jobs else "nothing was submitted"
        super().__init__("\n".join([f"{what}: {count}", *(f"  - {problem}" for problem in self.problems)]))


class RemoteJobError(Exception):
    """A job that ended without an exception that can be rebuilt here."""


class RemoteTraceback(Exception):
    """Stands as the cause of a rebuilt exception, so that Python prints what the job printed."""

    def __str__(self) -> str:
        return "\n\n" + str(self.args[0]).rstrip()
