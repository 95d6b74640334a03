"""One definition of every number printed about a classifier, so that training, evaluation and comparison cannot differ.

Throughout: labels [pairs] are 0 (negative) or 1 (positive, a paraphrase); probabilities [pairs] are P(paraphrase) in 0-1.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, precision_recall_fscore_support, roc_auc_score

from paraphrase_lab.errors import TrainingError
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER

CALIBRATION_BINS = 15
OwnMetric = Callable[[np.ndarray, np.ndarray, float], float]
"""A user's metric, from labels, probabilities and threshold."""

METRIC_NAMES: tuple[str, ...] = tuple(HIGHER_IS_BETTER)


class ReliabilityBins(NamedTuple):
    """Bins of equal width over P(paraphrase); mean probability and positive rate of an empty bin are nan."""

    counts: np.ndarray
    mean_probability: np.ndarray
    positive_rate: np.ndarray


class ValidationAnswers(NamedTuple):
    """The answers of a validation while training, beside what always answering the larger class would reach."""

    predicted_positive_rate: float
    majority: float
    """Accuracy of the larger class."""
    pairs: int

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray) -> Self:
        yes = float(np.mean(labels))
        return cls(float(decide(probabilities).mean()), max(yes, 1 - yes), len(labels))

    @property
    def accuracy_by_chance(self) -> float:
        """The accuracy that a model needs to exceed: two standard errors above the majority class's."""
        return self.majority + 2 * float(np.sqrt(self.majority * (1 - self.majority) / self.pairs))


def decide(probabilities: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return predicted labels [pairs]: 1 where the probability reaches the threshold (>=).

    Compared as float64: numpy would otherwise round a fitted threshold to the precision of the scores.
    """
    return (np.asarray(probabilities, dtype=np.float64) >= threshold).astype(np.int64)


def binary_metrics(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Return every metric of METRIC_NAMES, in that order.

    - f1, precision, recall: of the positive class; 0 where undefined (nothing predicted or nothing labelled positive).
    - roc_auc, average_precision (the area under precision-recall): nan when all labels are the same.
    - nll: mean negative log-likelihood in nats; probabilities are clipped by 2.2e-16, so one pair costs 36 at most.
    - brier: mean squared error of the probability.
    - ece: see `expected_calibration_error`.

    Only the first four depend on the threshold. Raises TrainingError when a probability is not a finite number.
    """
    labels, probabilities = _checked(labels, probabilities)
    predictions = decide(probabilities, threshold)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels,
        predictions,
        average="binary",
        zero_division=0,  # pyright: ignore[reportArgumentType]
    )
    rankable = labels.min() != labels.max()
    values = {
        "accuracy": accuracy_score(labels, predictions),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "roc_auc": roc_auc_score(labels, probabilities) if rankable else np.nan,
        "average_precision": average_precision_score(labels, probabilities) if rankable else np.nan,
        "nll": log_loss(labels, probabilities, labels=[0, 1]),
        "brier": np.mean((probabilities - labels) ** 2),
        "ece": expected_calibration_error(labels, probabilities),
    }
    return {name: float(values[name]) for name in METRIC_NAMES}


def baselines(labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the metrics of two classifiers that never read the sentences, on these labels.

    Both give every pair the positive rate of these very labels as its probability, the best constant for nll and brier.
    `majority` predicts the larger class (positive when the classes are equal), `always_positive` predicts 1.
    """
    labels = np.asarray(labels)
    positive_rate = np.full(labels.shape, labels.mean() if labels.size else np.nan)
    return {
        "majority": binary_metrics(labels, positive_rate, threshold=0.5),
        "always_positive": binary_metrics(labels, positive_rate, threshold=0.0),
    }


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over pairs of |positive rate - mean probability| of the pair's bin, 15 bins of equal width.

    The bins are over P(paraphrase), as in torchmetrics' BinaryCalibrationError, not over the confidence in the
    predicted class (0.5-1) as in Guo et al. 2017: errors on the two classes cannot cancel.
    """
    counts, mean_probability, positive_rate = reliability_bins(labels, probabilities)
    filled = counts > 0
    gaps = np.abs(positive_rate[filled] - mean_probability[filled])
    return float(np.sum(gaps * counts[filled]) / counts.sum())


def ece_if_calibrated(probabilities: np.ndarray, seed: int = 0) -> float:
    """Return the mean ece of labels drawn from the probabilities: that of a perfectly calibrated model on as many pairs.

    Over 300 draws up to 10,000 pairs, over 50 or more of more pairs.
    """
    probabilities, random = np.asarray(probabilities, dtype=np.float64), np.random.default_rng(seed)
    draws = max(50, min(300, 3_000_000 // len(probabilities)))
    drawn = (random.random(len(probabilities)) < probabilities for _ in range(draws))
    return float(np.mean([expected_calibration_error(labels, probabilities) for labels in drawn]))


def reliability_bins(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> ReliabilityBins:
    """Return bins that are closed on the left; the last one is closed on both sides."""
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, probabilities, side="right") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_probability = np.bincount(index, weights=probabilities, minlength=bins) / counts
        positive_rate = np.bincount(index, weights=labels, minlength=bins) / counts
    return ReliabilityBins(counts, mean_probability, positive_rate)


def _checked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as int64 and probabilities as float64.

    Raises TrainingError for probabilities that are not finite (a model that diverged), ValueError for anything that
    only a mistake in the calling code can produce.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != probabilities.shape or not labels.size:
        raise ValueError(f"need one probability per label: labels {labels.shape}, probabilities {probabilities.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, not {sorted(set(labels.tolist()) - {0, 1})[:5]}")
    unusable = int(np.count_nonzero(~np.isfinite(probabilities)))
    if unusable:
        raise TrainingError(
            f"{unusable:,} of {labels.size:,} probabilities are not finite numbers: the model has diverged. "
            "Train again with a lower learning rate, a longer warmup, or bf16 or fp32 instead of fp16."
        )
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(f"probabilities must lie in 0-1, not {probabilities.min():.3g} to {probabilities.max():.3g}")
    return labels.astype(np.int64), probabilities
