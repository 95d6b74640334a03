"""A permutation test that exchanges the predictions of two candidates, a cluster at a time: is the difference chance?

If both were equally good, each cluster's predictions could as well be the other one's. McNemar's test would take the
pairs of a cluster for independent, which they are not.
"""

import numpy as np

from paraphrase_lab.statistics.metric_sums import SUMMED, Scored
from paraphrase_lab.statistics.ranking import ranked

MOST_BLOCKS = 500


def flips(clusters: int, repetitions: int, random: np.random.Generator) -> np.ndarray:
    """Draw signs [clusters, repetitions], float32: 1 as it was, -1 exchanged."""
    return (2 * random.integers(0, 2, size=(clusters, repetitions), dtype=np.int8) - 1).astype(np.float32)


def exchanged_sums(metric: str, first: np.ndarray, second: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Compute differences by chance [..., repetitions] from two candidates' totals per cluster [columns, ..., clusters].

    The metric is computed anew from the exchanged predictions, whether it is a mean or, as F1, is not.
    """
    value = SUMMED[metric].value
    together = (first + second).sum(axis=-1)[..., None]
    apart = ((second - first).astype(np.float32) @ signs).astype(np.float64)
    return value((together + apart) / 2) - value((together - apart) / 2)


def ranked_shares(metric: str, scored: Scored, clusters: np.ndarray) -> np.ndarray:
    """Return what each block of clusters adds to a ranking metric [runs, blocks].

    Jackknife pseudo-values (Miller, The jackknife: a review, 1974) divided by their number: they add up to the metric, but
    for a bias of the order of one over their number. A block is a cluster; of very many clusters, several.
    """
    numbers, rows = np.unique(clusters, return_inverse=True)
    blocks = min(len(numbers), MOST_BLOCKS)
    unit = np.arange(blocks)
    whole = ranked(metric, scored, np.zeros_like(rows), np.ones((1, 1), dtype=np.float32))
    without = ranked(metric, scored, rows % blocks, (unit[:, None] != unit).astype(np.float32))
    return (blocks * whole - (blocks - 1) * without) / blocks


def as_large(observed: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """Count the differences by chance [..., repetitions] that are as large as the observed one [...], in either direction.

    Undefined ones count as large: they are no evidence.
    """
    nearly = np.abs(observed) * (1 - 1e-5) - 1e-9  # float32 sums differ in the last digits
    return (~(np.abs(by_chance) < nearly[..., None])).sum(axis=-1)


def p_values(counts: np.ndarray, repetitions: int) -> np.ndarray:
    """Return two-sided p-values, from 1 / (repetitions + 1) to 1: the observed difference counts as one more repetition."""
    return (1 + counts) / (1 + repetitions)
