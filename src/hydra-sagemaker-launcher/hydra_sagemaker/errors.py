"""The launcher's errors, and the causes and next steps of failures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hydra.errors import CompactHydraException

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # cursor, colours
    r"|\x1b[]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, clipboards, links
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # they show the rest of a line in another order
)


def plain(text: str) -> str:
    """Return a text that came from elsewhere without what could change the terminal; of a progress bar its last state stays."""
    return "\n".join(CONTROL.sub("", last_state(line)) for line in text.split("\n"))


def last_state(line: str) -> str:
    """Return what a line shows in the end that was written over, as a progress bar is."""
    return next((part for part in reversed(line.split("\r")) if part.strip()), "") if "\r" in line else line


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
    """A permission that the execution role or the submitting identity lacks."""
    REGION = "region"
    CREDENTIALS = "credentials"
    NETWORK = "network"
    INFRASTRUCTURE = "infrastructure"
    """The service's own errors, and everything that is none of the others."""


@dataclass(frozen=True)
class Failure:
    cause: Cause
    message: str
    """The event, in a sentence or a few lines."""
    next_step: str
    """A command, or what to change in it."""

    def __post_init__(self) -> None:
        for name in ("message", "next_step"):
            object.__setattr__(self, name, plain(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.message}\nNext: {self.next_step}"


class LauncherError(CompactHydraException):
    """An error whose text says what is wrong, what is valid and what to type. Hydra prints it without a traceback."""

    failure: Failure | None = None
    concerns_all = False
    """True where every other job would fail in the same way: the launch ends."""

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))


class CallFailed(LauncherError):
    """A call of the service has failed."""

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class Throttled(CallFailed):
    """The service limits the calls of this account."""


class Unreachable(CallFailed):
    """The service does not answer, or answers that it is in trouble."""


class NotPermitted(CallFailed):
    """Credentials, a role, a permission or a region is wrong."""

    concerns_all = True


class SubmissionRefused(LauncherError):
    """A sweep cannot be submitted: holds every problem, found before anything was uploaded.

    Args:
        earlier_jobs: number of jobs in a sweeper's earlier batches, which are not taken back.
    """

    def __init__(self, problems: Sequence[str], *, earlier_jobs: int = 0) -> None:
        self.problems = list(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        what = f"nothing more was submitted, after {earlier_jobs} jobs" if earlier_jobs else "nothing was submitted"
        super().__init__("\n".join([f"{what}: {count}", *(f"  - {problem}" for problem in self.problems)]))


class JobsRefused(SubmissionRefused):
    """A job's own configuration is wrong; other jobs of the sweep may be submitted."""


class TooExpensive(SubmissionRefused):
    """The budget, `hydra.launcher.max_cost_usd`, does not allow it; nothing else is against it."""


class RemoteJobError(Exception):
    """A job failed, and left no exception that can be rebuilt here."""


class RemoteTraceback(Exception):
    """Stands as the cause of a rebuilt exception, so that Python prints what the job printed."""

    def __str__(self) -> str:
        return "\n\n" + plain(str(self.args[0])).rstrip()
