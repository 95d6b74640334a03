"""Ends pools and learns their final state, within a bound: SageMaker ends one when its job has ended and it is Available."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from hydra_sagemaker.aws.warm_pools import WarmPool
from hydra_sagemaker.backends.pools import Pools
from hydra_sagemaker.errors import LauncherError, NotPermitted

SILENT_LOOKS = 10
"""A job that has ended and shows no pool in that number of looks has none."""


class Unended(NamedTuple):
    """Machines that the launcher could not give back."""

    name: str
    until: float | None
    """Seconds since 1970; None: their job still runs."""
    keep_seconds: float
    reason: str
    is_left: bool = False
    """Left to a job that runs on, as intended."""


@dataclass
class _Open:
    """A pool that is not known to have ended."""

    keep_seconds: float
    until: float | None
    is_told: bool = False
    silent_looks: int = 0
    reason: str = "it was not asked about"


class PoolEnding:
    """
    Args:
        settled: is called with the job's name and the final state of its pool.
        waits_for_jobs: pools of jobs that run are waited for; otherwise of those alone that are stopping, and others are left.
    """

    def __init__(self, pools: Pools, settled: Callable[[str, WarmPool], None], *, waits_for_jobs: bool) -> None:
        self.pools, self.settled, self.waits_for_jobs = pools, settled, waits_for_jobs
        self.unended: list[Unended] = []
        self._open: dict[str, _Open] = {}

    def add(self, name: str, keep_seconds: float, until: float | None) -> None:
        self._open[name] = _Open(keep_seconds, until)

    @property
    def names(self) -> list[str]:
        return list(self._open)

    def finish(
        self, patience_seconds: float, pause_seconds: float, clock: Callable[[], float], sleep: Callable[[float], None],
        say: Callable[[int], None],
    ) -> list[Unended]:  # fmt: skip
        """Look until every pool has its final state, or the time is over; return the pools that were not ended.

        `say` is called once with the number of pools that are waited for.
        """
        deadline, has_said = clock() + patience_seconds, False
        self.look()
        while self._open and clock() < deadline:
            if not has_said:
                say(len(self._open))
                has_said = True
            sleep(pause_seconds)
            self.look()
        self.give_up()
        return self.unended

    def look(self) -> None:
        """Ask about every pool once, and end the ones that are Available."""
        for name in self.names:
            one = self._open[name]
            try:
                self._look(name, one)
            except NotPermitted as error:
                one.reason = str(error).splitlines()[0]
                self._drop(name)
            except LauncherError as error:
                one.reason = str(error).splitlines()[0]

    def give_up(self, reason: str = "") -> None:
        for name in self.names:
            self._open[name].reason = reason or self._open[name].reason
            self._drop(name)

    def _look(self, name: str, one: _Open) -> None:
        found = self.pools.look(name) or WarmPool("Terminated")
        if found.has_ended and one.until is None:
            one.until = time.time() + one.keep_seconds if found.ended_at is None else found.ended_at + one.keep_seconds
        if not found.has_ended:
            one.reason = "its job runs"
            if not (self.waits_for_jobs or found.is_stopping):
                self._drop(name, is_left=True)
        elif found.status == "Available":
            one.reason = "it has not ended since it was told to"
            if not one.is_told:
                self.pools.end(name)
                one.is_told = True
        elif found.status == "InUse":
            one.reason = "it is not Available yet"
        else:
            one.silent_looks += 1
            looks = 1 if found.status or not found.had_machines else SILENT_LOOKS
            if one.silent_looks >= (min(looks, 2) if self.pools.has_none(found.instance_type) else looks):
                del self._open[name]
                self.settled(name, found)

    def _drop(self, name: str, *, is_left: bool = False) -> None:
        one = self._open.pop(name)
        self.unended.append(Unended(name, one.until, one.keep_seconds, one.reason, is_left))
