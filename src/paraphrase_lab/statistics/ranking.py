"""Ranking metrics over weighted pairs, computed for many weightings at once.

The pairs are walked through once, from the highest score to the lowest; every step is arithmetic on all weightings.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from paraphrase_lab.statistics.metric_sums import Scored


def roc_auc(labels: np.ndarray, scores: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the chance that a positive scores above a negative, ties counting half [weightings]; nan where one has no weight.

    Args:
        rows: the row of `weights` [rows, weightings] that holds the weight of each pair [pairs].
    """
    yes, no, area, product = np.zeros((4, weights.shape[1]))
    for yes_here, no_here in _from_the_top(labels, scores, rows, weights):
        if no_here is not None:
            np.multiply(no_here, yes if yes_here is None else yes + yes_here / 2, out=product)
            area += product
            no += no_here
        if yes_here is not None:
            yes += yes_here
    return _divided(area, yes * no)


def average_precision(labels: np.ndarray, scores: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean precision at the score of each positive [weightings], as scikit-learn's average_precision_score."""
    yes, answered, area, precision = np.zeros((4, weights.shape[1]))
    for yes_here, no_here in _from_the_top(labels, scores, rows, weights):
        if no_here is not None:
            answered += no_here
        if yes_here is not None:
            yes += yes_here
            answered += yes_here
            np.divide(yes, np.maximum(answered, 1e-9, out=precision), out=precision)  # 0 where nothing has come yet
            precision *= yes_here
            area += precision
    return np.where(answered <= yes, np.nan, _divided(area, yes))


RANKED: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
}


def ranked(metric: str, scored: Scored, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the metric of every run [runs, weightings]; nan where a weighting does not define it."""
    return np.stack([RANKED[metric](scored.labels, scores, rows, weights) for scores in scored.probabilities])


def _from_the_top(
    labels: np.ndarray, scores: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
    """Yield the weights of positives and negatives [weightings] at each score, None for none, from the highest downwards."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf)).tolist()
    sorted_rows, is_yes = rows[order], labels[order] == 1
    row_list, yes_list = sorted_rows.tolist(), is_yes.tolist()  # a lookup in a list costs a fraction of one in an array
    for start, end in pairwise([*starts, len(order)]):
        if end - start == 1:
            weight = weights[row_list[start]]
            yield (weight, None) if yes_list[start] else (None, weight)
        else:
            tied, yes = sorted_rows[start:end], is_yes[start:end]
            yield _total(weights, tied[yes]), _total(weights, tied[~yes])


def _total(weights: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    return weights[rows].sum(axis=0, dtype=np.float64) if len(rows) else None


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
