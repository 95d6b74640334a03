"""The results of each group of pairs, of a kind, a source or a domain: one figure for all of them hides the weakest."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

from paraphrase_lab.metrics.binary import binary_metrics, decide
from paraphrase_lab.metrics.proportion import clustered_interval

OTHERS = "(none)"
"""Names the pairs without a group where others have one."""


class GroupResult(NamedTuple):
    """`low` and `high` are the 95 % interval of the accuracy, see metrics/proportion.py."""

    pairs: int
    positive_rate: float
    """Share of the pairs that are labelled paraphrase."""
    accuracy: float
    low: float
    high: float
    predicted_positive_rate: float
    f1: float
    roc_auc: float
    """nan where all labels of the group are the same."""

    @property
    def majority(self) -> float:
        """The accuracy of always giving the more frequent label of the group."""
        return max(self.positive_rate, 1 - self.positive_rate)


def group_results(
    groups: Sequence[str | None] | None,
    labels: np.ndarray,
    probabilities: np.ndarray,
    threshold: float,
    clusters: np.ndarray | None = None,
) -> dict[str, GroupResult]:
    """Return the result of each group, in the order in which they come; empty without groups.

    Args:
        groups: the group of each pair [pairs].
        labels: int64 [pairs]; probabilities: P(paraphrase) [pairs] in 0-1.
        clusters: the number of the cluster of shared sentences of each pair [pairs], for the intervals; None: the pairs are
            independent. In a group of one cluster they are taken so, too.
    """
    if groups is None:
        return {}
    names = np.array([OTHERS if name is None else name for name in groups])
    found = {}
    for name in dict.fromkeys(names.tolist()):
        of_group = names == name
        of_clusters = None if clusters is None else clusters[of_group]
        found[name] = _result(labels[of_group], probabilities[of_group], threshold, of_clusters)
    return found


def _result(labels: np.ndarray, probabilities: np.ndarray, threshold: float, clusters: np.ndarray | None) -> GroupResult:
    values, answers = binary_metrics(labels, probabilities, threshold), decide(probabilities, threshold)
    right = answers == labels
    low, high = (np.nan, np.nan) if clusters is None else clustered_interval(right.astype(np.float64), clusters)
    if np.isnan(low):
        wilson = binomtest(int(right.sum()), len(labels)).proportion_ci(method="wilson")
        low, high = float(wilson.low), float(wilson.high)
    return GroupResult(
        len(labels), float(labels.mean()), values["accuracy"], low, high,
        float(answers.mean()), values["f1"], values["roc_auc"],
    )  # fmt: skip


def accuracy_of(results: Mapping[str, GroupResult]) -> float:
    """Return the accuracy on all pairs of the groups; nan without any."""
    pairs = sum(one.pairs for one in results.values())
    return sum(one.accuracy * one.pairs for one in results.values()) / pairs if pairs else float("nan")


def as_record(results: Mapping[str, GroupResult]) -> dict[str, dict[str, Any]]:
    """Return plain numbers for run.json, from which `from_record` reads them back."""
    return {name: result._asdict() for name, result in results.items()}


def from_record(recorded: Mapping[str, Mapping[str, Any]]) -> dict[str, GroupResult]:
    found = {}
    for name, values in recorded.items():
        given: dict[str, Any] = {key: float("nan") if value is None else value for key, value in values.items()}
        found[name] = GroupResult(**given)
    return found
