"""One interval over pairs and seeds together: would other trainings of the same kinds, tested on other pairs, show it again?

Welch's interval over the seeds holds the pairs fixed, and one over the pairs holds the seeds fixed. Neither covers the
difference of two recipes that are good at different pairs.
"""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from paraphrase_lab.statistics.bootstrap import LEVEL

POWER = 0.8
"""The chance to find a difference that counts as being able to show it."""
MOST_SEEDS = 100
"""Seeds of each recipe; more are not recommended."""
FACTORS = np.geomspace(1.1, 1000, 100).tolist()
"""Multiples of the number of pairs that are tried."""
NOTHING = 1e-24
"""A variance below it is rounding."""


class Uncertainty(NamedTuple):
    """The squared standard error of a difference of two means over seeds, in its parts."""

    seeds_a: float
    """The variance over the seeds of a, divided by their number; 0 for one run."""
    seeds_b: float
    pairs: float
    """What the choice of the pairs adds."""
    runs_a: int
    runs_b: int
    clusters: int

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.seeds_a + self.seeds_b + self.pairs))

    @property
    def freedom(self) -> float:
        """Degrees of freedom (Satterthwaite 1946) of the three parts together."""
        parts = [(self.seeds_a, self.runs_a - 1), (self.seeds_b, self.runs_b - 1), (self.pairs, self.clusters - 1)]
        weights = sum(variance**2 / max(freedom, 1) for variance, freedom in parts)
        return self.error**4 / weights if weights > 0 else float(self.clusters - 1)

    def interval(self, difference: float) -> tuple[float, float]:
        """Return both ends of the 95 % interval."""
        width = 0.0 if self.error**2 <= NOTHING else float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * self.error
        return difference - width, difference + width

    def p_value(self, difference: float, margin: float = 0.0) -> float:
        """Return the two-sided p-value of no difference, or with a margin that of a difference of the margin or more.

        The second is that of two one-sided tests (Schuirmann 1987): small where the difference is smaller than the margin.
        """
        if self.error**2 <= NOTHING:
            return float(abs(difference) <= 1e-12) if not margin else float(abs(difference) >= margin)
        if margin:
            return float(stdtr(self.freedom, (abs(difference) - margin) / self.error))
        return float(2 * stdtr(self.freedom, -abs(difference) / self.error))

    def detectable(self, questions: int = 1) -> float:
        """Return the difference that these runs and pairs find in 80 % of the cases, if p is corrected for `questions`."""
        if self.error**2 <= NOTHING:
            return 0.0
        return float(stdtrit(self.freedom, 1 - (1 - LEVEL) / 2 / questions) + stdtrit(self.freedom, POWER)) * self.error

    def equality_shown_within(self, difference: float) -> float:
        """The margin within which 80 % of such trainings would show equality, if the difference is as given."""
        if self.error**2 <= NOTHING:
            return abs(difference)
        return abs(difference) + float(stdtrit(self.freedom, LEVEL) + stdtrit(self.freedom, POWER)) * self.error

    def decides(self, difference: float, margin: float) -> bool:
        """Tell whether a true difference of this size would be decided in 80 % of the cases, one way or the other."""
        return self.detectable() <= abs(difference) or self.equality_shown_within(difference) <= margin

    def seeds_to_decide(self, difference: float, margin: float) -> int | None:
        """Return the seeds of each that would decide; None where not even 100 would: then the pairs are too few."""
        numbers = range(max(self.runs_a, self.runs_b) + 1, MOST_SEEDS + 1)
        place = bisect_left(numbers, True, key=lambda runs: self.with_runs(runs).decides(difference, margin))
        return numbers[place] if place < len(numbers) else None

    def pairs_to_decide(self, difference: float, margin: float, pairs: int) -> int | None:
        """Return the number of pairs, in place of `pairs`, that would decide between two models, to two digits."""
        place = bisect_left(FACTORS, True, key=lambda factor: self.with_pairs(factor).decides(difference, margin))
        return int(float(f"{pairs * FACTORS[place]:.1e}")) if place < len(FACTORS) else None

    def with_runs(self, runs: int) -> "Uncertainty":
        """Return it for this number of seeds of each, whose spreads stay."""
        return self._replace(
            seeds_a=self.seeds_a * self.runs_a / runs, seeds_b=self.seeds_b * self.runs_b / runs, runs_a=runs, runs_b=runs
        )

    def with_pairs(self, factor: float) -> "Uncertainty":
        """Return it for `factor` times the pairs, in as many times the clusters."""
        return self._replace(pairs=self.pairs / factor, clusters=max(2, round(self.clusters * factor)))


def paired_uncertainty(differences: np.ndarray, shares: np.ndarray, clusters: int) -> Uncertainty:
    """Estimate the parts from the differences of runs with the same seed [seeds], and their shares [seeds, clusters]."""
    return uncertainty(np.zeros(1), differences, np.zeros((1, shares.shape[-1])), shares, clusters)


def uncertainty(
    values_a: np.ndarray, values_b: np.ndarray, shares_a: np.ndarray, shares_b: np.ndarray, clusters: int
) -> Uncertainty:
    """Estimate the parts: Welch's of the seeds, and of the pairs what is not the seeds' own already.

    Each seed makes some mistakes of its own. They are in the spread over the seeds and in that over the pairs, and count once:
    their share of the clusters' variance is the variance over the seeds within the clusters, divided by the number of seeds.

    Args:
        values_a, values_b: of a metric, of each recipe's runs [seeds].
        shares_a, shares_b: what each cluster, or block of clusters, adds to the metric [seeds, clusters].
        clusters: whose number the degrees of freedom of the pairs follow.
    """
    seeds_a, seeds_b = (
        float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0 for values in (values_a, values_b)
    )
    blocks = shares_a.shape[-1]
    if blocks < 2:
        return Uncertainty(seeds_a, seeds_b, float("nan"), len(values_a), len(values_b), clusters)
    correction = blocks / (blocks - 1)
    apart = shares_b.mean(axis=0) - shares_a.mean(axis=0)
    over_pairs = correction * float(np.sum((apart - apart.mean()) ** 2))
    own = sum(
        correction * float(np.var(shares - shares.mean(axis=-1, keepdims=True), axis=0, ddof=1).sum()) / len(shares)
        for shares in (shares_a, shares_b)
        if len(shares) > 1
    )
    return Uncertainty(seeds_a, seeds_b, max(0.0, over_pairs - own), len(values_a), len(values_b), clusters)
