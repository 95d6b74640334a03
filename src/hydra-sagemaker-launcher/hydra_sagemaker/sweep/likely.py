"""Estimates what jobs will likely cost, from the recorded time of earlier jobs on the same machines."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from hydra_sagemaker.pricing.prices import SECONDS_PER_HOUR, Prices, bound_of_settings, choices_of
from hydra_sagemaker.scheduling.ledger import Ledger
from hydra_sagemaker.settings import SageMakerLauncherConf

SIBLINGS_AT_MOST = 50
"""Sweep directories beside this one that are looked into, the newest first."""
Machines = tuple[str, int]
"""Instance types and their number in all, as the bill of a job has them."""


class LikelyCosts:
    """Costs of jobs as far as earlier ones tell: those of this sweep's directory, else those of the directories beside it."""

    def __init__(self, directory: Path, prices: Prices) -> None:
        self.directory, self.prices = directory, prices

    def usd(self, settings: SageMakerLauncherConf) -> float | None:
        """Return US dollars, without what spot may save; None where no completed job ran on such machines."""
        bound = bound_of_settings(settings, self.prices)
        seconds = self._seconds(settings)
        if bound.usd_per_hour is None or not seconds:
            return None
        return bound.usd_per_hour * min(median(seconds) / SECONDS_PER_HOUR, bound.hours)

    def described(self, all_settings: list[SageMakerLauncherConf]) -> str:
        """Say how many earlier jobs the estimate rests on; empty without any."""
        kinds = {kind: self._seconds(settings) for settings in all_settings if (kind := _machines(settings)) is not None}
        if not (count := sum(map(len, kinds.values()))):
            return ""
        where = "here" if any(kind in self._here for kind in kinds) else f"in {self.directory.parent}"
        return f"likely: as {count} earlier job{'' if count == 1 else 's'} {where} took, the median"

    def _seconds(self, settings: SageMakerLauncherConf) -> list[float]:
        kind = _machines(settings)
        if kind is None:
            return []
        return self._here.get(kind) or self._beside.get(kind, [])

    @cached_property
    def _here(self) -> dict[Machines, list[float]]:
        return _recorded([self.directory])

    @cached_property
    def _beside(self) -> dict[Machines, list[float]]:
        ledgers = self.directory.parent.glob("*/.launcher/ledger.jsonl")
        others = [file for file in ledgers if file.parents[1] != self.directory]
        newest = sorted(others, key=lambda file: -file.stat().st_mtime)
        return _recorded([file.parents[1] for file in newest[:SIBLINGS_AT_MOST]])


def _recorded(directories: list[Path]) -> dict[Machines, list[float]]:
    """Return the training seconds of completed jobs by their machines; each job counts once."""
    jobs: dict[str, dict[str, Any]] = {}
    for directory in directories:
        for event in Ledger(directory / ".launcher" / "ledger.jsonl").read():
            if event.get("event") == "collected" and event.get("status") == "completed" and event.get("cost"):
                jobs[str(event.get("name"))] = event["cost"]
    found: dict[Machines, list[float]] = {}
    for cost in jobs.values():
        if seconds := cost.get("training_seconds") or cost.get("billable_seconds"):
            found.setdefault((str(cost.get("instance_type")), cost.get("instance_count") or 1), []).append(float(seconds))
    return found


def _machines(settings: SageMakerLauncherConf) -> Machines | None:
    choices = choices_of(settings)
    return (" + ".join(choices[0]), sum(choices[0].values())) if len(choices) == 1 else None
