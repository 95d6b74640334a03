"""Temperature, bias and the decision threshold.

Temperature and bias are fitted on validation pairs, stored with the model and applied unchanged to test: fitted on the scored
pairs themselves they would flatter the model.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from paraphrase_lab.errors import TrainingError, UserError

TEMPERATURE_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """P(paraphrase) = sigmoid(margin / temperature + bias), positive where it reaches the threshold (>=)."""

    temperature: float
    threshold: float
    """0.5, which is the only one that an exported model can decide by; earlier releases fitted it, without a bias."""
    pairs: int
    """Number of validation pairs it was fitted on; 0: not fitted."""
    bias: float = 0.0

    @classmethod
    def fit(cls, margin: np.ndarray, labels: np.ndarray, *, with_bias: bool = True) -> Self:
        """Fit the temperature, then the bias of what it gives; NEUTRAL for no pairs."""
        temperature = fit_temperature(margin, labels)
        bias = fit_bias(np.asarray(margin, dtype=np.float64) / temperature, labels) if with_bias else 0.0
        return cls(temperature, 0.5, len(labels), bias)

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

    def probabilities(self, margin: np.ndarray) -> np.ndarray:
        """Return P(paraphrase) [pairs] as float64, from margin [pairs] = logit(paraphrase) - logit(different)."""
        return expit(np.asarray(margin, dtype=np.float64) / self.temperature + self.bias)

    def margins(self, logits: np.ndarray) -> np.ndarray:
        """Return margin [pairs] as float64 from logit(P(paraphrase)) [pairs]: undo what a calibrated head does."""
        return (np.asarray(logits, dtype=np.float64) - self.bias) * self.temperature


NEUTRAL = Calibration(temperature=1.0, threshold=0.5, pairs=0)


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
    positive = int((labels == 1).sum())
    negative = labels.size - positive
    wanted = (positive * (positive + 1) / (positive + 2) + negative / (negative + 2)) / labels.size
    reach = float(np.abs(logits).max()) + np.log(labels.size + 2) + 1.0  # beyond it the mean is further out than any target
    return float(brentq(lambda bias: float(expit(logits + bias).mean()) - wanted, -reach, reach, xtol=1e-9))  # pyright: ignore[reportArgumentType]


def _finite(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    unusable = int(np.count_nonzero(~np.isfinite(scores)))
    if unusable:
        raise TrainingError(f"cannot calibrate: {unusable:,} of {scores.size:,} scores are not finite numbers")
    return scores
