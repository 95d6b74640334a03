"""Prices of instances by the hour, and the most that one attempt at a job can cost.

Instances while the job runs, and while they are kept warm after it: disks, S3 and data transfer come on top.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from hydra_sagemaker.settings import SageMakerLauncherConf, keep_warm_seconds

REGION = "us-east-1"
SECONDS_PER_HOUR = 3600
DEFAULT_RUNTIME_SECONDS = 24 * SECONDS_PER_HOUR
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html"""


class Listed(NamedTuple):
    usd_per_hour: float
    dated: str
    """The day it was read, as 2026-09-27."""


@cache
def price_table() -> Mapping[str, Listed]:
    lines = resources.files("hydra_sagemaker.pricing").joinpath("prices.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["instance_type"]: Listed(float(row["usd_per_hour"]), row["dated"]) for row in rows}


@dataclass
class Prices:
    given: Mapping[str, float] = field(default_factory=dict)
    """Given by the user; takes precedence over the others."""
    listed: Mapping[str, Listed] = field(default_factory=price_table)
    """The table of this package."""
    current: dict[str, Listed] = field(default_factory=dict)
    """Answers of AWS's price list for `region`; they take precedence over the table."""
    region: str | None = None
    not_asked: str = ""
    """The reason why AWS's price list could not be asked."""

    def of(self, instance_type: str) -> float | None:
        """Return US dollars an hour; None where the price is not known."""
        if instance_type in self.given:
            return self.given[instance_type]
        found = self.current.get(instance_type) or self.listed.get(instance_type)
        return None if found is None else found.usd_per_hour

    def dated_of(self, instance_type: str) -> str | None:
        """Return the day on which a price was read; None for a given or unknown price."""
        found = self.current.get(instance_type) or self.listed.get(instance_type)
        return None if instance_type in self.given or found is None else found.dated

    def described(self, instance_types: Collection[str]) -> str:
        """Describe where the prices of these instance types come from."""
        given = sorted({name for name in instance_types if name in self.given})
        current = {name for name in instance_types if name in self.current and name not in self.given}
        parts = []
        if current:
            parts.append(f"{self.region} on demand, AWS's price list of {_days(map(self.dated_of, current))}")
        if days := _days(self.dated_of(name) for name in instance_types if name not in current):
            parts.append(f"{REGION} on demand, {days}; other regions differ")
        if given:
            parts.append(f"{', '.join(given)} as given")
        if self.not_asked:
            parts.append(f"AWS's price list was not asked: {self.not_asked}")
        return f"instances only; prices: {'; '.join(parts) or 'unknown'}"


def _days(days: Iterable[str | None]) -> str:
    known = sorted({day for day in days if day is not None})
    return " to ".join(dict.fromkeys((known[0], known[-1]))) if known else ""


def prices_of(settings: SageMakerLauncherConf) -> Prices:
    """Return the table with the user's own prices.

    Raises:
        LauncherError: a price is no amount of money.
    """
    for name, usd in settings.price_per_hour.items():
        if not 0 <= usd < math.inf:
            from hydra_sagemaker.errors import LauncherError

            wanted = "US dollars for an hour of one instance, 0 or more"
            raise LauncherError(f"hydra.launcher.price_per_hour: {usd} for {name} is no price. It must be {wanted}.")
    return Prices(dict(settings.price_per_hour))


class Bound(NamedTuple):
    """The most that one attempt at a job can cost."""

    usd: float | None
    hours: float
    instances: str
    """The machines, as `2 x ml.g5.xlarge`."""
    unpriced: tuple[str, ...] = ()
    """Instance types without a price."""
    kept_hours: float = 0.0
    """The time for which the machines may be kept warm afterwards; `usd` includes it."""

    @property
    def usd_per_hour(self) -> float | None:
        return None if self.usd is None else self.usd / (self.hours + self.kept_hours)

    @property
    def kept_usd(self) -> float | None:
        """The most that the machines can cost after the job."""
        return None if self.usd_per_hour is None else self.usd_per_hour * self.kept_hours


def bound_of_settings(settings: SageMakerLauncherConf, prices: Prices) -> Bound:
    """Return the bound of a job with these settings; `extra` counts too.

    Spot capacity has the same bound: the discount is fewer billed seconds, and is known at the end only. SageMaker
    stops the job at its time limit; the two minutes to save and the upload of the results come on top.
    """
    stopping = {"MaxRuntimeInSeconds": round(settings.max_run_hours * SECONDS_PER_HOUR)}
    stopping |= settings.extra.get("StoppingCondition") or {}
    hours = (stopping["MaxRuntimeInSeconds"] or DEFAULT_RUNTIME_SECONDS) / SECONDS_PER_HOUR
    choices = choices_of(settings)
    unpriced = tuple(sorted({name for choice in choices for name in choice if prices.of(name) is None}))
    rates = [rate for choice in choices if (rate := hourly_usd(choice, prices)) is not None]
    kept_hours = keep_warm_seconds(settings) / SECONDS_PER_HOUR
    usd = None if unpriced or not rates else max(rates) * (hours + kept_hours)
    words = (" + ".join(f"{count} x {name}" if count > 1 else name for name, count in choice.items()) for choice in choices)
    return Bound(usd, hours, " or ".join(words), unpriced, kept_hours)


def choices_of(settings: SageMakerLauncherConf) -> list[dict[str, int]]:
    """Return a map of instance type to count for every set of machines that a job with these settings may get."""
    asked = {"InstanceType": settings.instance_type, "InstanceCount": settings.instance_count}
    return list(machines(asked | (settings.extra.get("ResourceConfig") or {})))


def machines(resource_config: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """Yield a map of instance type to count for every set of machines that the job may get.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if groups := resource_config.get("InstanceGroups"):
        yield _counted(groups)
    elif selected := resource_config.get("SelectedInstanceType"):
        yield {selected: resource_config.get("SelectedInstanceCount") or 1}
    elif preferences := resource_config.get("InstancePreferences"):
        yield from (_counted([one]) for one in preferences)
    elif resource_config.get("InstanceType"):
        yield _counted([resource_config])


def _counted(groups: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in groups:
        counts[group["InstanceType"]] = counts.get(group["InstanceType"], 0) + (group.get("InstanceCount") or 1)
    return counts


def hourly_usd(instances: Mapping[str, int], prices: Prices) -> float | None:
    known = [(price, count) for name, count in instances.items() if (price := prices.of(name)) is not None]
    return sum(price * count for price, count in known) if len(known) == len(instances) else None
