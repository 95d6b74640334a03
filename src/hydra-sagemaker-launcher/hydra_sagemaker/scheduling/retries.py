"""Whether a job that ended badly is submitted once more within the same launch, and when."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Literal

from hydra_sagemaker.errors import Cause
from hydra_sagemaker.scheduling.backoff import Backoff
from hydra_sagemaker.settings import RetriesConf

LONGEST_RETRY_SECONDS = 900.0
RETRIED_AS: dict[Cause, Literal["infra", "spot", "task"]] = {
    Cause.INFRASTRUCTURE: "infra",
    Cause.CAPACITY: "infra",
    Cause.SPOT: "spot",
    Cause.CODE: "task",
    Cause.MEMORY: "task",
    Cause.IMPORT: "task",
}


class Retries:
    """Counts retries per job and by cause: spot retries have their own budget."""

    def __init__(self, allowed: RetriesConf, first_seconds: float, random: Random | None = None) -> None:
        self.allowed = {"infra": allowed.infra, "spot": allowed.spot, "task": allowed.task}
        self.first_seconds = first_seconds
        self.random = random or Random()
        self._used: dict[str, Counter[str]] = {}
        self._backoffs: dict[str, Backoff] = {}

    def delay(self, key: str, cause: Cause, *, keeps_checkpoints: bool) -> float | None:
        """Seconds to wait before the job's next attempt; None: it stays as it is."""
        kind = retried_as(cause, keeps_checkpoints=keeps_checkpoints)
        used = self._used.setdefault(key, Counter())
        if kind is None or used[kind] >= self.allowed[kind]:
            return None
        used[kind] += 1
        return self._backoffs.setdefault(key, Backoff(self.first_seconds, LONGEST_RETRY_SECONDS, self.random)).next()


def retried_as(cause: Cause, *, keeps_checkpoints: bool) -> Literal["infra", "spot", "task"] | None:
    """The field of `hydra.launcher.retries` that says how often; None: never, since it would end the same way."""
    if cause == Cause.TIMEOUT:
        return "task" if keeps_checkpoints else None
    return RETRIED_AS.get(cause)
