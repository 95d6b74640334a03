"""Keeps a sweep within its budget, all its batches and retries together."""

from __future__ import annotations

from collections.abc import Mapping

from hydra_sagemaker.job.job import Job
from hydra_sagemaker.pricing.cost import Budget
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

    def settle(self, submission: Submission) -> None:
        """Replace an attempt's bound by its bill; one that was never submitted costs nothing."""
        if not submission.is_reused and submission.outcome is not None:
            cost = submission.outcome.record.get("cost") or {}
            usd = None if cost.get("is_estimate") else cost.get("cost_usd")
            self.budget.settle(submission.name, 0.0 if submission.failure else usd)
