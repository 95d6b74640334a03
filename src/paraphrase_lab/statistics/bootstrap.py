"""Paired bootstrap over clusters: how much a metric, or a difference of two, would vary on other pairs like these.

Pairs that share a sentence are right or wrong together, so whole clusters are drawn; all runs see the same draws.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm, t

from paraphrase_lab.statistics.metric_sums import SUMMED, Scored, cluster_sums
from paraphrase_lab.statistics.ranking import ranked

LEVEL = 0.95
WEIGHTS_AT_ONCE = 2**25
"""Clusters times resamples that are in memory at a time: 128 MiB."""
DRAWN_AT_ONCE = 100


def portions(clusters: int, resamples: int) -> Iterator[slice]:
    """Split the resamples into portions whose weights fit in memory."""
    width = max(1, WEIGHTS_AT_ONCE // clusters)
    for start in range(0, resamples, width):
        yield slice(start, min(start + width, resamples))


def cluster_weights(clusters: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Count how often each resample draws each cluster [clusters, resamples], float32; a column adds up to `clusters`."""
    weights = np.empty((clusters, resamples), dtype=np.float32)
    for start in range(0, resamples, DRAWN_AT_ONCE):
        columns = np.arange(min(DRAWN_AT_ONCE, resamples - start), dtype=np.int32)
        drawn = random.integers(0, clusters, size=(clusters, len(columns)), dtype=np.int32) * len(columns) + columns
        counts = np.bincount(drawn.ravel(), minlength=clusters * len(columns))
        weights[:, start : start + len(columns)] = counts.reshape(clusters, -1)
    return weights


def resample(metric: str, scored: Scored, clusters: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the metric of every run on every resample [runs, resamples]; nan where a resample does not define it.

    Args:
        clusters: the row of `weights` that holds each pair's weight [pairs].
        weights: from `cluster_weights`.
    """
    if metric in SUMMED:
        # float32 holds whole numbers up to 16 million, and other sums to far more digits than resampling gives.
        sums = cluster_sums(metric, scored, clusters, len(weights)).astype(np.float32)
        return SUMMED[metric].value((sums @ weights).astype(np.float64))
    return ranked(metric, scored, clusters, weights)


def interval(estimates: np.ndarray, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends [...] of the expanded percentile interval of resampled estimates [..., resamples].

    The plain percentile interval is too narrow where clusters are few; its quantiles are moved outwards, by sqrt(n / (n - 1))
    and Student's t, as in Hesterberg, What Teachers Should Know About the Bootstrap (2015). Nan for fewer than two clusters,
    and where more than 5 % of the resamples do not define the metric.
    """
    if clusters < 2:
        nothing = np.full(estimates.shape[:-1], np.nan)
        return nothing, nothing
    tail = norm.cdf(-np.sqrt(clusters / (clusters - 1)) * t.ppf((1 + LEVEL) / 2, clusters - 1))
    undefined = np.isnan(estimates)
    if not undefined.any():
        low, high = np.quantile(estimates, (tail, 1 - tail), axis=-1)
        return low, high
    known = undefined.mean(axis=-1, keepdims=True) <= 1 - LEVEL
    low, high = np.nanquantile(np.where(known, estimates, 0.0), (tail, 1 - tail), axis=-1)
    return np.where(known[..., 0], low, np.nan), np.where(known[..., 0], high, np.nan)
