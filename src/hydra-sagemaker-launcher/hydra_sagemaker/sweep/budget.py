"""Keeps a sweep within its budget, all its batches and retries together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.cost import Budget, kept_usd
from hydra_sagemaker.pricing.prices import Prices, bound_of_settings
from hydra_sagemaker.scheduling.tracker import Submission


class Spending:
    def __init__(self, prices: Prices, max_cost_usd: float | None) -> None:
        self.prices, self.budget = prices, Budget(max_cost_usd)
        self.late_bills: dict[str, float] = {}
        """US dollars of attempts that were collected before their machine had ended, by name; a search takes them out."""

    def reserve(self, attempts: Mapping[str, Job]) -> str | None:
        """Commit the costs of attempts, jobs by the attempts' names, or return the reason why they do not fit."""
        bounds = {name: bound_of_settings(job.settings, self.prices) for name, job in attempts.items()}
        if (refusal := self.budget.refusal(list(bounds.values()))) is None:
            for name, bound in bounds.items():
                self.budget.commit(name, bound.usd)
        return refusal

    def settle(self, submission: Submission, *, is_kept_warm: bool = False) -> None:
        """Replace an attempt's bound by its bill; one that was never submitted costs nothing.

        Args:
            is_kept_warm: its machines are, or will be, and what that costs is not known yet.
        """
        if submission.is_reused or submission.outcome is None:
            return
        cost = submission.outcome.record.get("cost") or {}
        usd = None if cost.get("is_estimate") else cost.get("cost_usd")
        self.budget.settle(submission.name, 0.0 if submission.failure else usd)
        if is_kept_warm:
            self.budget.commit(_kept(submission.name), bound_of_settings(submission.job.settings, self.prices).kept_usd)

    def settle_kept(self, name: str, cost: Mapping[str, Any]) -> None:
        """Replace the bound of the time for which an attempt's machines were kept warm by its bill."""
        self.budget.settle(_kept(name), kept_usd(cost, cost.get("kept_warm_seconds")))


def _kept(name: str) -> str:
    return f"{name}, kept warm"
