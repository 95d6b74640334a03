"""Metrics that are made of sums over pairs, so that a resample of clusters costs a few multiplications.

Each is told by columns [columns, pairs] whose totals over any choice of pairs give its value; the definitions are those of
`paraphrase_lab.metrics.binary`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from paraphrase_lab.metrics.binary import CALIBRATION_BINS


class Scored(NamedTuple):
    """Predictions of one or several runs for the same pairs."""

    labels: np.ndarray
    """0 or 1 [pairs]."""
    probabilities: np.ndarray
    """P(paraphrase) [runs, pairs]."""
    predictions: np.ndarray
    """0 or 1, at each run's own threshold [runs, pairs]."""

    def at(self, pairs: np.ndarray) -> Scored:
        """Select these pairs, by a mask [pairs] or numbers."""
        return Scored(self.labels[pairs], self.probabilities[:, pairs], self.predictions[:, pairs])


class SummedMetric(NamedTuple):
    columns: Callable[[np.ndarray, np.ndarray, np.ndarray], list[np.ndarray]]
    """From labels, probabilities and predictions of one run [pairs]; the last column is the denominator."""
    value: Callable[[np.ndarray], np.ndarray]
    """From totals [columns, ...] to the metric [...]; nan for no pairs."""


def _share(totals: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return totals[0] / totals[-1]


def _share_or_zero(totals: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0, as for no positive prediction."""
    return np.divide(totals[0], totals[-1], out=np.zeros(totals[0].shape), where=totals[-1] > 0)


def _gaps(totals: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.abs(totals[:-1]).sum(axis=0) / totals[-1]


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    smallest = np.finfo(np.float64).eps
    return -np.log(np.clip(np.where(labels == 1, probabilities, 1 - probabilities), smallest, 1 - smallest))


def _calibration_columns(labels: np.ndarray, probabilities: np.ndarray) -> list[np.ndarray]:
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.clip(np.searchsorted(edges, probabilities, side="right") - 1, 0, CALIBRATION_BINS - 1)
    gaps = labels - probabilities
    return [*(np.where(bins == number, gaps, 0.0) for number in range(CALIBRATION_BINS)), np.ones(len(labels))]


SUMMED: dict[str, SummedMetric] = {
    "accuracy": SummedMetric(lambda y, p, yes: [yes == y, np.ones(len(y))], _share),
    "f1": SummedMetric(lambda y, p, yes: [2 * yes * y, yes + y], _share_or_zero),
    "precision": SummedMetric(lambda y, p, yes: [yes * y, yes], _share_or_zero),
    "recall": SummedMetric(lambda y, p, yes: [yes * y, y], _share_or_zero),
    "nll": SummedMetric(lambda y, p, yes: [_log_loss(y, p), np.ones(len(y))], _share),
    "brier": SummedMetric(lambda y, p, yes: [(p - y) ** 2, np.ones(len(y))], _share),
    "ece": SummedMetric(lambda y, p, yes: _calibration_columns(y, p), _gaps),
}


def cluster_sums(metric: str, scored: Scored, clusters: np.ndarray, number: int) -> np.ndarray:
    """Sum a metric's columns over each of `number` clusters [columns, runs, clusters]."""
    runs = [
        np.stack(
            [np.bincount(clusters, weights=column, minlength=number) for column in SUMMED[metric].columns(scored.labels, *one)]
        )
        for one in zip(scored.probabilities, scored.predictions, strict=True)
    ]
    return np.stack(runs, axis=1)


def summed_shares(metric: str, per_cluster: np.ndarray) -> np.ndarray:
    """Return what each cluster adds to the metric [runs, clusters], from its sums [columns, runs, clusters].

    Jackknife pseudo-values (Miller, The jackknife: a review, 1974) divided by their number.
    """
    clusters, value = per_cluster.shape[-1], SUMMED[metric].value
    totals = per_cluster.sum(axis=-1, keepdims=True)
    return (clusters * value(totals) - (clusters - 1) * value(totals - per_cluster)) / clusters
