"""Limits what a sweep may cost, and sums up what its jobs did cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from hydra_sagemaker.pricing.prices import SECONDS_PER_HOUR, Bound, Prices, hourly_usd, machines

TOLERANCE_USD = 1e-6
"""Absorbs rounding errors, so that ten jobs of $0.10 fit a limit of $1."""
PRICE_PAGE = "https://aws.amazon.com/sagemaker-ai/pricing/"
ENDED = ("Completed", "Failed", "Stopped")


class Budget:
    """Keeps the sum of bills and of the bounds of open attempts below the limit."""

    def __init__(self, max_cost_usd: float | None = None) -> None:
        """Take a limit in US dollars; None for no limit.

        Raises:
            LauncherError: the limit is no amount of money.
        """
        if max_cost_usd is not None and not 0 <= max_cost_usd < math.inf:
            from hydra_sagemaker.errors import LauncherError

            raise LauncherError(f"hydra.launcher.max_cost_usd={max_cost_usd}: it must be US dollars, 0 or more, or null")
        self.max_cost_usd = max_cost_usd
        self._open: dict[str, float | None] = {}
        self._billed: list[float] = []

    def commit(self, name: str, bound: float | None) -> None:
        """Count the bound of an attempt that runs or will run; a settled name may be committed again."""
        self._open[name] = bound

    def settle(self, name: str, billed_usd: float | None) -> None:
        """Replace the bound of an ended attempt by its bill: None keeps the bound, 0 is for one that was never submitted.

        A name that is not open is ignored: it was reused, or settled before.
        """
        if billed_usd is not None and name in self._open:
            self._billed.append(billed_usd)
            del self._open[name]

    def bill_earlier(self, usd: float) -> None:
        """Count what earlier launches have cost."""
        self._billed.append(usd)

    @property
    def total_usd(self) -> float:
        """The sum without unknown bounds, which a limit does not admit."""
        return math.fsum([*self._billed, *(bound for bound in self._open.values() if bound is not None)])

    def refusal(self, additional: Sequence[Bound]) -> str | None:
        """Return why further attempts exceed the limit, and what would make them fit; None where they fit.

        The caller commits the attempts that it submits.
        """
        if self.max_cost_usd is None or not additional:
            return None
        if unpriced := sorted({name for one in additional for name in one.unpriced}):
            prices = ", ".join(f"{name}: USD" for name in unpriced)
            return (
                f"hydra.launcher.max_cost_usd={self.max_cost_usd:g} needs the price of {', '.join(unpriced)}, "
                f"which is not known. Set it: 'hydra.launcher.price_per_hour={{{prices}}}', in US dollars an hour "
                f"({PRICE_PAGE}), or hydra.launcher.max_cost_usd=null."
            )
        amounts = [math.inf if one.usd is None else one.usd for one in additional]
        wanted = math.fsum([self.total_usd, *amounts])
        if wanted <= self.max_cost_usd + TOLERANCE_USD:
            return None
        kinds = list(dict.fromkeys(_machines_in_words(one) for one in additional))
        shown = ", ".join(kinds[:3]) + (", …" if len(kinds) > 3 else "")
        jobs = f"{len(additional)} jobs" if len(additional) > 1 else "1 job"
        spent = f", and {money(self.total_usd)} of the limit are spent or committed" if self.total_usd else ""
        cost = f"{jobs} (at most {shown}) may cost {money(math.fsum(amounts))}{spent}"
        left = max(0.0, self.max_cost_usd - self.total_usd)
        return (
            f"hydra.launcher.max_cost_usd={self.max_cost_usd:g}: {cost}. It fits with {_what_fits(additional, wanted, left)}."
        )


def _what_fits(additional: Sequence[Bound], wanted: float, left: float) -> str:
    ways = []
    hourly = math.fsum(one.usd_per_hour or 0.0 for one in additional)
    kept = math.fsum(one.kept_usd or 0.0 for one in additional)
    hours = math.floor((left - kept) / hourly * 100) / 100 if hourly else 0.0
    if hours > 0:
        ways.append(f"hydra.launcher.max_run_hours={hours:g}")
    spent = accumulate(one.usd or 0.0 for one in additional)
    if len(additional) > 1 and (count := sum(usd <= left + TOLERANCE_USD for usd in spent)):
        ways.append(f"{count} of the {len(additional)} jobs")
    ways.append(f"hydra.launcher.max_cost_usd={math.ceil(wanted * 100 - TOLERANCE_USD) / 100:.2f}")
    return " or ".join(ways)


def _machines_in_words(bound: Bound) -> str:
    kept = f" and {60 * bound.kept_hours:g} minutes kept warm" if bound.kept_hours else ""
    return f"{bound.instances} for {bound.hours:g} h{kept}"


def billed(described: Mapping[str, Any], prices: Prices) -> dict[str, Any]:
    """Return what one attempt did cost, from DescribeTrainingJob; None for what is not known (yet).

    `BillableTimeInSeconds` is wall-clock time, to be multiplied by the number of instances; managed spot training
    bills fewer seconds than the training took, and that is its saving.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
    """
    choices = list(machines(described.get("ResourceConfig") or {}))
    instances = choices[0] if len(choices) == 1 else {}
    hourly = hourly_usd(instances, prices) if instances else None
    seconds, training = described.get("BillableTimeInSeconds"), described.get("TrainingTimeInSeconds")
    if seconds is None and described.get("TrainingJobStatus") in ENDED and "TrainingStartTime" not in described:
        seconds = 0  # it never had an instance
    only = next(iter(instances)) if len(instances) == 1 else ""
    bill = {
        "instance_type": " + ".join(instances) or None,
        "instance_count": sum(instances.values()) or None,
        "billable_seconds": seconds,
        "training_seconds": training,
        "price_per_hour_usd": prices.of(only),
        "prices_dated": prices.dated_of(only),
        "cost_usd": _usd(seconds, hourly),
        "saved_by_spot_usd": _saved(described, seconds, training, hourly),
    }
    return with_kept(bill, (described.get("WarmPoolStatus") or {}).get("ResourceRetainedBillableTimeInSeconds"))


def with_kept(bill: Mapping[str, Any], seconds: int | None) -> dict[str, Any]:
    """Return a bill with the time for which the machines were kept warm after the job; None leaves it as it is."""
    if seconds is None:
        return dict(bill)
    used = bill["billable_seconds"]
    usd = None if used is None else kept_usd(bill, used + seconds)
    return {**bill, "kept_warm_seconds": seconds, "cost_usd": usd}


def kept_usd(bill: Mapping[str, Any], seconds: float | None) -> float | None:
    """Return the price of some seconds on the machines of a bill; None where it is not known."""
    price, count = bill.get("price_per_hour_usd"), bill.get("instance_count")
    return _usd(seconds, None if price is None or count is None else price * count)


def total(bills: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the sums over the bills of several attempts; None for a sum of which a part is not known."""
    known = list(bills)
    sums: dict[str, float | None] = {}
    for key in ("billable_seconds", "cost_usd", "saved_by_spot_usd"):
        values = [bill[key] for bill in known if bill.get(key) is not None]
        sums[key] = math.fsum(values) if len(values) == len(known) else None
    return sums


def money(usd: float | None) -> str:
    if usd is None:
        return "?"
    return "<$0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"


def _usd(seconds: float | None, hourly: float | None) -> float | None:
    if seconds == 0:
        return 0.0
    return None if seconds is None or hourly is None else seconds / SECONDS_PER_HOUR * hourly


def _saved(described: Mapping[str, Any], seconds: float | None, training: float | None, hourly: float | None) -> float | None:
    if not described.get("EnableManagedSpotTraining"):
        return 0.0
    return None if seconds is None or training is None else _usd(max(0, training - seconds), hourly)
