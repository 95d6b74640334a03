"""Decides whether a job that ended badly is submitted once more within the same launch, and when."""

from __future__ import annotations

from collections import Counter
from random import Random

from hydra_sagemaker.errors import Cause
from hydra_sagemaker.scheduling.backoff import Backoff
from hydra_sagemaker.settings import RetriesConf

LONGEST_RETRY_SECONDS = 900.0
RETRIED_AS = {
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
        self.allowed, self.first_seconds, self.random = allowed, first_seconds, random or Random()
        self._used: Counter[tuple[str, str]] = Counter()
        self._backoffs: dict[str, Backoff] = {}

    def delay(self, key: str, cause: Cause, *, keeps_checkpoints: bool) -> float | None:
        """Return the seconds to wait before the job's next attempt; None: it stays as it is."""
        kind = retried_as(cause, keeps_checkpoints=keeps_checkpoints)
        if kind is None or self._used[key, kind] >= getattr(self.allowed, kind):
            return None
        self._used[key, kind] += 1
        return self._backoffs.setdefault(key, Backoff(self.first_seconds, LONGEST_RETRY_SECONDS, self.random)).next()


def retried_as(cause: Cause, *, keeps_checkpoints: bool) -> str | None:
    """Return the field of `hydra.launcher.retries` that says how often; None: never, since it would end the same way."""
    return "task" if cause == Cause.TIMEOUT and keeps_checkpoints else RETRIED_AS.get(cause)
