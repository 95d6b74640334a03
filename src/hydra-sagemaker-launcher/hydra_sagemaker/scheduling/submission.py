"""A job of this launch, and what has become of it so far."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from hydra.core.utils import JobReturn

from hydra_sagemaker.backends.base import Outcome, Status
from hydra_sagemaker.errors import Failure
from hydra_sagemaker.job.job import Job

NEW, ATTACHED, REUSED = "new", "attached", "reused"


@dataclass(eq=False)
class Submission:
    job: Job
    name: str
    origin: str
    """new, attached (it was running) or reused (it had ended)."""
    status: Status
    machine: str = ""
    """Name of the training job that it shares with other jobs, if it does."""
    fresh: bool = False
    """Begins anew although an earlier attempt kept checkpoints."""
    outcome: Outcome | None = None
    failure: Failure | None = None
    """Why it could not be submitted."""
    is_pruned: bool = False
    """Told to end by the search whose trial it is, or ended by itself as one that is not worth its time."""
    is_cancelled: bool = False
    """Not wanted any more; it may still run on a machine that it shares."""
    is_skipped: bool = False
    """Not submitted, since enough others had failed."""
    duplicate_of: int | None = None
    """Number of the job whose run this one shares."""
    duplicates: list[Submission] = field(default_factory=list, repr=False)
    """Jobs that share this run."""
    returned: JobReturn | None = field(default=None, repr=False)
    """Set once the results are collected, or the launcher detaches from the job."""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """The records of attempts that ended before this one."""

    @property
    def is_reused(self) -> bool:
        return self.origin == REUSED

    @property
    def kind(self) -> str:
        """The kind of machine that a quota is for."""
        settings = self.job.settings
        return sys.intern(f"{settings.instance_type}{' spot' if settings.spot else ''}")
