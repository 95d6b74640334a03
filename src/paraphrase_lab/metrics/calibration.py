"""Temperature scaling and the decision threshold.

Both are fitted on validation pairs, stored with the model and applied unchanged to test: fitted on the scored pairs
themselves they would flatter the model.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from paraphrase_lab.errors import TrainingError, UserError

TEMPERATURE_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Calibration:
    """P(paraphrase) = sigmoid(margin / temperature), positive where it reaches the threshold (>=)."""

    temperature: float
    threshold: float
    pairs: int
    """Number of validation pairs it was fitted on; 0: not fitted."""

    @classmethod
    def fit(cls, margin: np.ndarray, labels: np.ndarray) -> Self:
        """Fit the temperature, then the threshold on the calibrated probabilities; NEUTRAL for no pairs."""
        temperature = fit_temperature(margin, labels)
        threshold = fit_threshold(labels, expit(np.asarray(margin, dtype=np.float64) / temperature))
        return cls(temperature, threshold, len(labels))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        names = [field.name for field in fields(cls)]
        try:
            temperature, threshold, pairs = (float(values[name]) for name in names)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"not a calibration: {values!r}", valid=f"Valid: numbers for {', '.join(names)}.") from None
        # Just above 1 means never positive: fitted where saturated scores deserve no trust.
        if not (0 < temperature < np.inf and 0 <= threshold <= np.nextafter(1, 2) and pairs >= 0):
            raise UserError(f"calibration out of range: {values!r}", valid="Valid: temperature > 0, threshold 0-1, pairs >= 0.")
        return cls(temperature, threshold, int(pairs))

    def to_dict(self) -> dict[str, float | int]:
        return asdict(self)

    def probabilities(self, margin: np.ndarray) -> np.ndarray:
        """Return P(paraphrase) [pairs] as float64, from margin [pairs] = logit(paraphrase) - logit(different)."""
        return expit(np.asarray(margin, dtype=np.float64) / self.temperature)


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


def fit_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the threshold of the highest accuracy on these pairs; of equally good ones the nearest to 0.5.

    Candidates lie midway between neighbouring scores, and between the outermost scores and 0 or 1 (all positive, all negative).
    0.5 for no pairs.
    """
    scores = _finite(probabilities)
    if not scores.size:
        return 0.5
    order = np.argsort(scores, kind="stable")
    scores, labels = scores[order], np.asarray(labels)[order]
    # right[k]: correct predictions when the k lowest scores are negative and the others positive
    right = np.concatenate(([0], np.cumsum(labels == 0))) + np.concatenate((np.cumsum(labels[::-1] == 1)[::-1], [0]))
    below = np.concatenate(([0.0], scores))
    above = np.concatenate((scores, [1.0 if scores[-1] < 1 else np.nextafter(1, 2)]))
    midway = (below + above) / 2
    # Between two adjacent floats the midpoint rounds to one of them; only the upper one separates under >=.
    thresholds = np.where(midway > below, midway, above)
    possible = np.concatenate(([True], scores[1:] > scores[:-1], [True]))
    best = possible & (right == right[possible].max())
    candidates = thresholds[best]
    return float(candidates[np.argmin(np.abs(candidates - 0.5))])


def _finite(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    unusable = int(np.count_nonzero(~np.isfinite(scores)))
    if unusable:
        raise TrainingError(f"cannot calibrate: {unusable:,} of {scores.size:,} scores are not finite numbers")
    return scores
