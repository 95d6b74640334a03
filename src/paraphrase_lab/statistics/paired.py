"""Runs against each other on the same pairs: interval and p-value of every metric on every slice, in one pass of resampling."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from paraphrase_lab.statistics import sign_flip
from paraphrase_lab.statistics.bootstrap import cluster_weights, interval, portions, resample
from paraphrase_lab.statistics.metric_sums import SUMMED, Scored, cluster_sums, summed_shares
from paraphrase_lab.statistics.ranking import RANKED, ranked

Runs = Sequence[int]
"""Numbers of the runs that count as one: a model's only one, or a recipe's, one per seed."""


class Paired(NamedTuple):
    """One metric on one slice."""

    values: np.ndarray
    """[runs]"""
    low: np.ndarray
    high: np.ndarray
    """95 % interval of second - first [comparisons]; nan where the slice does not define the metric."""
    p_values: np.ndarray
    shares: np.ndarray
    """What each cluster, or block of clusters, adds to the metric of each run [runs, blocks]."""
    pairs: int
    clusters: int


def observed(metric: str, scored: Scored) -> np.ndarray:
    """Compute the metric of every run [runs]."""
    rows = np.zeros(len(scored.labels), dtype=np.int64)
    if metric in SUMMED:
        return SUMMED[metric].value(cluster_sums(metric, scored, rows, 1)[..., 0])
    ones = np.ones((1, 1), dtype=np.float32)
    return ranked(metric, scored, rows, ones)[:, 0]


def compare_paired(
    scored: Scored,
    clusters: np.ndarray,
    parts: Mapping[tuple[str, str], np.ndarray],
    comparisons: Sequence[tuple[Runs, Runs]],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[tuple[str, str], Paired]:
    """Resample all parts together and return interval and p-value of each comparison on each part.

    Args:
        clusters: 0, 1, ... [pairs].
        parts: mask bool [pairs] of each (metric, slice) that is asked for.
        comparisons: (first, second) by the numbers of their runs.
    """
    number = int(clusters.max()) + 1
    for_weights, for_signs = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    tests = {part: _Test(part[0], scored.at(mask), clusters[mask], number, comparisons) for part, mask in parts.items()}
    estimates = {part: np.empty((len(comparisons), resamples), dtype=np.float32) for part in parts}
    counts = {part: np.zeros(len(comparisons)) for part in parts}
    for portion in portions(number, resamples):
        weights = cluster_weights(number, portion.stop - portion.start, for_weights)
        signs = sign_flip.flips(number, portion.stop - portion.start, for_signs)
        for part, test in tests.items():
            estimates[part][:, portion] = test.resampled(weights)
            counts[part] += test.as_large(signs)
    return {part: test.result(estimates[part], counts[part]) for part, test in tests.items()}


class _Test:
    """One metric on one slice, while it is resampled."""

    def __init__(
        self, metric: str, scored: Scored, clusters: np.ndarray, number: int, comparisons: Sequence[tuple[Runs, Runs]]
    ) -> None:
        self.metric, self.scored, self.clusters, self.comparisons = metric, scored, clusters, comparisons
        if metric in SUMMED:
            self.per_cluster = cluster_sums(metric, scored, clusters, number)
            self.shares = summed_shares(metric, self.per_cluster[..., np.unique(clusters)])
        else:
            self.shares = sign_flip.ranked_shares(metric, scored, clusters)
            self.per_cluster = self.shares[None]
        self.first, self.second = (
            np.stack([self.per_cluster[:, list(pair[side])].mean(axis=1) for pair in comparisons], axis=1) for side in (0, 1)
        )

    def resampled(self, weights: np.ndarray) -> np.ndarray:
        """Return second - first [comparisons, resamples]; several runs count with the mean of their values."""
        runs = resample(self.metric, self.scored, self.clusters, weights)
        return np.stack(
            [runs[list(second)].mean(axis=0) - runs[list(first)].mean(axis=0) for first, second in self.comparisons]
        )

    def as_large(self, signs: np.ndarray) -> np.ndarray:
        """Count [comparisons] what chance makes as large; the runs of a recipe are exchanged, and summed, together."""
        if self.metric in RANKED:
            shares = (self.second - self.first)[0]  # what each block adds to the difference [comparisons, blocks]
            by_chance = shares.astype(np.float32) @ signs[: shares.shape[-1]]
            return sign_flip.as_large(shares.sum(axis=-1), by_chance.astype(np.float64))
        value = SUMMED[self.metric].value
        difference = value(self.second.sum(axis=-1)) - value(self.first.sum(axis=-1))
        return sign_flip.as_large(difference, sign_flip.exchanged_sums(self.metric, self.first, self.second, signs))

    def result(self, estimates: np.ndarray, counts: np.ndarray) -> Paired:
        clusters = len(np.unique(self.clusters))
        low, high = interval(estimates, clusters)
        p_values = np.where(np.isnan(low), np.nan, sign_flip.p_values(counts, estimates.shape[1]))
        return Paired(observed(self.metric, self.scored), low, high, p_values, self.shares, len(self.scored.labels), clusters)
