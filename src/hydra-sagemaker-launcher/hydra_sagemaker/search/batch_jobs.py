"""Jobs of another launcher than this one, which takes several and returns when the last of them has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

from hydra.plugins.launcher import Launcher

from hydra_sagemaker.reports import listening
from hydra_sagemaker.search.jobs import Ended, TrialJobs, deaf


class BatchJobs(TrialJobs):
    """Jobs of another launcher, which takes several and returns when the last of them has ended."""

    def __init__(self, launcher: Launcher, n_jobs: int) -> None:
        self.launcher, self.n_jobs, self.hears = launcher, n_jobs, deaf
        self.can_hear = n_jobs == 1
        self._queued: dict[int, tuple[str, ...]] = {}
        self._ended: dict[int, Ended] = {}

    @property
    def open(self) -> set[int]:
        return set(self._queued)

    @property
    def free(self) -> int:
        return self.n_jobs - len(self._queued)

    def submit(self, number: int, overrides: Sequence[str]) -> None:
        self._queued[number] = tuple(overrides)

    def wait(self) -> list[Ended]:
        """Launch what is queued; a launcher numbers the jobs of a batch from the first on."""
        if not self._ended:
            first = next(iter(self._queued))
            batch = [number for place, number in enumerate(self._queued) if number == first + place]
            started = time.monotonic()
            with listening(lambda step, value: self.hears(first, step, value)) if len(batch) == 1 else nullcontext():
                returns = self.launcher.launch([self._queued[number] for number in batch], initial_job_idx=first)
            seconds = time.monotonic() - started if len(batch) == 1 else None
            pairs = zip(batch, returns, strict=True)
            self._ended = {number: Ended(number, returned, seconds=seconds) for number, returned in pairs}
        return list(self._ended.values())

    def taken(self, number: int) -> None:
        self._queued.pop(number, None)
        self._ended.pop(number, None)
