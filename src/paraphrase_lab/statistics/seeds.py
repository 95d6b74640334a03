"""The difference of two recipes over their seeds: would another training of the same kind show it again?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t


class SeedDifference(NamedTuple):
    """Mean of b - mean of a, its 95 % interval, and the p-value of no difference."""

    difference: float
    low: float
    high: float
    p_value: float


def welch(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> SeedDifference:
    """Compute Welch's t from the values of each recipe's seeds [seeds], two or more; their spreads may differ.

    Where no seed differs from another the interval is a single point and the p-value 0, or 1 for no difference.
    """
    error_a, error_b = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    error = error_a + error_b
    difference = float(np.mean(b) - np.mean(a))
    if error <= 1e-24:
        return SeedDifference(difference, difference, difference, 0.0 if abs(difference) > 1e-12 else 1.0)
    # Welch-Satterthwaite
    freedom = 1 / ((error_a / error) ** 2 / (len(a) - 1) + (error_b / error) ** 2 / (len(b) - 1))
    width = float(t.ppf(0.975, freedom) * np.sqrt(error))
    p_value = float(2 * t.sf(abs(difference) / np.sqrt(error), freedom))
    return SeedDifference(difference, difference - width, difference + width, p_value)
