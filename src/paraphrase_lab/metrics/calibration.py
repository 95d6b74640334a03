"""Temperature, bias and the decision threshold.

Temperature and bias (the two parameters of Platt 1999) are fitted on validation pairs, stored with the model and applied
unchanged to test: fitted on the scored pairs themselves they would flatter the model.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import expit

from paraphrase_lab.errors import TrainingError, UserError

TEMPERATURE_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """P(paraphrase) = sigmoid(margin / temperature + bias), positive where it reaches the threshold (>=)."""

    temperature: float
    threshold: float
    """0.5, the only one that an exported model can decide by, unless a fitted one was asked for."""
    pairs: int
    """Number of validation pairs it was fitted on; 0: not fitted."""
    bias: float = 0.0

    @classmethod
    def fit(cls, margin: np.ndarray, labels: np.ndarray, *, with_bias: bool = True, with_threshold: bool = False) -> Self:
        """Fit temperature and bias together, or the temperature alone; NEUTRAL for no pairs.

        Args:
            with_threshold: decide where these pairs have the highest accuracy, instead of at 0.5.
        """
        temperature, bias = fit_platt(margin, labels) if with_bias else (fit_temperature(margin, labels), 0.0)
        fitted = cls(temperature, 0.5, len(labels), bias)
        return replace(fitted, threshold=fit_threshold(fitted.probabilities(margin), labels)) if with_threshold else fitted

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        names = ("temperature", "threshold", "pairs", "bias")
        try:
            temperature, threshold, pairs, bias = (float({"bias": 0.0, **values}[name]) for name in names)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"not a calibration: {values!r}", valid=f"Valid: numbers for {', '.join(names)}.") from None
        # Just above 1 means never positive: fitted by earlier releases where saturated scores deserve no trust.
        in_range = 0 < temperature < np.inf and 0 <= threshold <= np.nextafter(1, 2) and pairs >= 0 and np.isfinite(bias)
        if not in_range:
            valid = "Valid: temperature > 0, threshold 0-1, pairs >= 0, a finite bias."
            raise UserError(f"calibration out of range: {values!r}", valid=valid)
        return cls(temperature, threshold, int(pairs), bias)

    def to_dict(self) -> dict[str, float | int]:
        return asdict(self)

    def logits(self, margin: np.ndarray) -> np.ndarray:
        """Return logit(P(paraphrase)) [pairs] as float64, from margin [pairs] = logit(paraphrase) - logit(different)."""
        return np.asarray(margin, dtype=np.float64) / self.temperature + self.bias

    def probabilities(self, margin: np.ndarray) -> np.ndarray:
        """Return P(paraphrase) [pairs] as float64, from margin [pairs] = logit(paraphrase) - logit(different)."""
        return expit(self.logits(margin))

    def margins(self, logits: np.ndarray) -> np.ndarray:
        """Return margin [pairs] as float64 from logit(P(paraphrase)) [pairs]: undo what a calibrated head does."""
        return (np.asarray(logits, dtype=np.float64) - self.bias) * self.temperature


NEUTRAL = Calibration(temperature=1.0, threshold=0.5, pairs=0)


def fit_platt(margin: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return (temperature, bias) with the least negative log-likelihood of sigmoid(margin / temperature + bias).

    The targets are those of Platt 1999, a little inside 0 and 1, so that both are finite where a margin separates the labels.
    The temperature is in 0.05-20; it is 1 where pairs say nothing about it: all labels, or all margins, are the same.
    """
    margin, labels = _finite(margin), np.asarray(labels) == 1
    spread = float(margin.std()) if margin.size else 0.0
    if not spread or labels.all() or not labels.any():
        return 1.0, fit_bias(margin, labels)
    centred, targets = (margin - margin.mean()) / spread, _platt_targets(labels)

    def nll(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = parameters[0] * centred + parameters[1]
        rest = expit(logits) - targets
        return float((np.logaddexp(0.0, logits) - targets * logits).mean()), np.array([(rest * centred).mean(), rest.mean()])

    low, high = TEMPERATURE_RANGE
    limits = [(spread / high, spread / low), (None, None)]
    start = np.array([np.clip(1.0, *limits[0]), 0.0])
    found = minimize(nll, start, jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-14, "gtol": 1e-9})
    slope = float(found.x[0]) / spread
    return 1 / slope, float(found.x[1]) - slope * float(margin.mean())


def fit_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the threshold with the highest accuracy on these pairs; of several, the one nearest to 0.5."""
    values = np.unique(probabilities)
    candidates = np.concatenate([[0.5], (values[1:] + values[:-1]) / 2])
    yes, no = (np.sort(probabilities[np.asarray(labels) == label]) for label in (1, 0))
    right = np.searchsorted(no, candidates, side="left") + len(yes) - np.searchsorted(yes, candidates, side="left")
    best = candidates[right == right.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def fit_temperature(margin: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature in 0.05-20 with the least negative log-likelihood of sigmoid(margin / temperature).

    Temperature scaling of Guo et al. 2017 for two classes. 1 where no margin has the wrong sign (perfectly separated,
    or no pairs): the likelihood then grows without end as the temperature falls, so these pairs say nothing about
    over-confidence. 20 where margins are right no more than by chance.
    """
    signed = _finite(margin) * np.where(np.asarray(labels) == 1, 1.0, -1.0)
    if not (signed < 0).any():
        return 1.0

    def nll(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -signed / np.exp(log_temperature)).mean())

    # Convex in 1 / temperature, hence a single valley in its logarithm.
    low, high = np.log(TEMPERATURE_RANGE)
    best = minimize_scalar(nll, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))  # pyright: ignore[reportAttributeAccessIssue]


def fit_bias(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the bias with the least negative log-likelihood of sigmoid(logits + bias); 0 for no pairs.

    With the targets of Platt 1999, a little inside 0 and 1, it is finite for one class and for separated ones too: the mean
    probability then equals the mean target.
    """
    logits, labels = _finite(logits), np.asarray(labels)
    if not logits.size:
        return 0.0
    wanted = float(_platt_targets(labels == 1).mean())
    reach = float(np.abs(logits).max()) + np.log(labels.size + 2) + 1.0  # beyond it the mean is further out than any target
    return float(brentq(lambda bias: float(expit(logits + bias).mean()) - wanted, -reach, reach, xtol=1e-9))  # pyright: ignore[reportArgumentType]


def _platt_targets(labels: np.ndarray) -> np.ndarray:
    """Return the targets [pairs] of labels [pairs]: (n + 1) / (n + 2) for n paraphrases, 1 / (n + 2) for n other pairs."""
    positive = int(labels.sum())
    return np.where(labels, (positive + 1) / (positive + 2), 1 / (labels.size - positive + 2))


def _finite(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    unusable = int(np.count_nonzero(~np.isfinite(scores)))
    if unusable:
        raise TrainingError(f"cannot calibrate: {unusable:,} of {scores.size:,} scores are not finite numbers")
    return scores
