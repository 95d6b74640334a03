"""The account's quota for one kind of machine."""

from __future__ import annotations

from dataclasses import dataclass

from hydra_sagemaker.scheduling.backoff import Backoff


@dataclass
class Quota:
    """Found out by a refusal, and probed again now and then."""

    probes: Backoff
    limit: int
    probe_at: float = float("-inf")
    running: int = 0

    def refused(self, now: float, idle: int) -> None:
        """Take note of a refusal; `idle` machines are kept warm and count too."""
        self.limit, self.probe_at = self.running + idle, now + self.probes.next()

    def taken(self) -> None:
        self.running += 1
        if self.running > self.limit:  # the quota is larger than was known: probe for still more at once
            self.limit, self.probe_at = self.running, float("-inf")
            self.probes.reset()
