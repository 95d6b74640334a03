"""The limits of a search: its number of trials, its hours, and how many of its trials may fail."""

from __future__ import annotations

from dataclasses import dataclass

FEW_TRIALS = 4
"""Failures of fewer trials say nothing about their rate."""


@dataclass
class Limits:
    n_trials: int
    max_failure_rate: float
    max_hours: float | None = None

    def reached(self, hours: float, failed: int, ended: int, *, is_last: bool) -> str:
        """Return the reason why no trial may begin, "" where one may."""
        if self.max_hours is not None and hours >= self.max_hours:
            return f"hydra.sweeper.max_hours={self.max_hours:g} is over: no further trial is begun"
        if self.fails_too_often(failed, ended, is_last=is_last):
            return f"{failed} of {ended} trials have failed, more than hydra.sweeper.max_failure_rate={self.max_failure_rate:g}"
        return ""

    def fails_too_often(self, failed: int, ended: int, *, is_last: bool) -> bool:
        return (ended >= FEW_TRIALS or is_last) and failed > self.max_failure_rate * ended
