"""Keeps a sweep within its budget, all its batches and retries together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra_sagemaker.pricing.cost import Budget
from hydra_sagemaker.pricing.prices import Prices, bound_of_settings
from hydra_sagemaker.scheduling.tracker import REUSED, Submission, next_name


class Spending:
    def __init__(self, prices: Prices, max_cost_usd: float | None) -> None:
        self.prices, self.budget = prices, Budget(max_cost_usd)

    def problems(self, submissions: Sequence[Submission]) -> Iterator[str]:
        """Commits what it does not refuse."""
        paid = [one for one in submissions if one.origin != REUSED]
        bounds = [bound_of_settings(one.job.settings, self.prices) for one in paid]
        if (refusal := self.budget.refusal(bounds)) is not None:
            yield refusal
            return
        for submission, bound in zip(paid, bounds, strict=True):
            self.budget.commit(submission.name, bound.usd)

    def reserve_retry(self, submission: Submission) -> str | None:
        """Commit the cost of one more attempt, or return the reason why it does not fit."""
        bound = bound_of_settings(submission.job.settings, self.prices)
        if (refusal := self.budget.refusal([bound])) is None:
            self.budget.commit(next_name(submission), bound.usd)
        return refusal

    def settle(self, submission: Submission) -> None:
        """Replace an attempt's bound by its bill; one that was never submitted costs nothing."""
        if submission.origin != REUSED and submission.outcome is not None:
            cost = submission.outcome.record.get("cost") or {}
            self.budget.settle(submission.name, 0.0 if submission.failure else cost.get("cost_usd"))
