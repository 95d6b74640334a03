"""The interval of a share of right answers where pairs that share a sentence are right or wrong together."""

import numpy as np
from scipy.stats import t

LEVEL = 0.95


def clustered_interval(right: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Return both ends of the 95 % Wilson interval of the effective number of pairs.

    That is n divided by the design effect, the variance of the mean over clusters by that of independent pairs (Kish 1965;
    Dean & Pagano, Evaluating Confidence Interval Methods for Binomial Proportions in Clustered Surveys, 2015), but never more
    than n. Where all answers are equal it is the number of clusters. Nan for fewer than two clusters.

    Args:
        right: 0 or 1 [pairs].
        clusters: the number of each pair's cluster [pairs].
    """
    sizes = np.bincount(clusters)
    sizes, pairs = sizes[sizes > 0], len(right)
    number = len(sizes)
    if number < 2:
        return float("nan"), float("nan")
    share = float(right.mean())
    sums = np.bincount(clusters, weights=right - share)
    variance = float((sums**2).sum()) * number / (number - 1) / pairs**2
    binomial = share * (1 - share) / pairs
    effective = float(number) if binomial == 0 else pairs / max(1.0, variance / binomial)
    square = float(t.ppf((1 + LEVEL) / 2, number - 1)) ** 2
    middle = (share + square / (2 * effective)) / (1 + square / effective)
    half = np.sqrt(square * (share * (1 - share) / effective + square / (4 * effective**2))) / (1 + square / effective)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
