"""The metrics of an ensemble, from the predictions of its runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paraphrase_lab.comparison.same_pairs import content_of, in_order_of
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.runs.predictions import Predictions


class EnsembleEvaluation(NamedTuple):
    split: str
    pairs: int
    ensemble: dict[str, float]
    """The metrics of the mean of the runs' calibrated probabilities, decided at the mean of their thresholds."""
    runs: list[dict[str, float]]
    """Those of each run alone."""


def evaluate_ensemble(given: Sequence[Predictions]) -> EnsembleEvaluation:
    """Return the metrics of the averaged probabilities of one split, beside those of each run.

    Raises:
        UserError: the runs have scored other pairs, or the same ones with other labels.
    """
    first, *others = given
    content, split = content_of(first), first.split
    for other in others:
        if content_of(other) != content:
            raise UserError(
                f"{first.run_dir} and {other.run_dir} have scored other {split} pairs, or the same ones with other labels",
                valid="runs that have scored the same pairs",
                hint=f"paraphrase evaluate {' '.join(str(one.run_dir) for one in given)} data=… scores each on the same ones",
            )
    members = [first, *(in_order_of(first, other) for other in others)]
    mean = np.mean([member.probabilities for member in members], axis=0)
    threshold = float(np.mean([member.threshold for member in members]))
    alone = [binary_metrics(member.labels, member.probabilities, member.threshold) for member in members]
    return EnsembleEvaluation(split, len(mean), binary_metrics(first.labels, mean, threshold), alone)
