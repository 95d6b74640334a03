"""The difference of two recipes over their seeds: would another training of the same kind show it again?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t


class SeedDifference(NamedTuple):
    """Mean of b - mean of a, its interval, and the p-value of no difference; floats or arrays [...]."""

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray


def welch(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> SeedDifference:
    """Compute Welch's t from the values of each recipe's seeds [..., seeds], two or more; their spreads may differ.

    Where no seed differs from another the interval is a single point and the p-value 0, or 1 for no difference.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    error_a, error_b = a.var(axis=-1, ddof=1) / a.shape[-1], b.var(axis=-1, ddof=1) / b.shape[-1]
    error = error_a + error_b
    difference = b.mean(axis=-1) - a.mean(axis=-1)
    varies = error > 1e-24
    scale = np.where(varies, error, 1.0)
    # Welch-Satterthwaite
    share_a, share_b = error_a / scale, error_b / scale
    below = share_a**2 / (a.shape[-1] - 1) + share_b**2 / (b.shape[-1] - 1)
    freedom = 1 / np.where(varies, below, 1.0)
    width = np.where(varies, t.ppf((1 + level) / 2, freedom) * np.sqrt(scale), 0.0)
    by_t = 2 * t.sf(np.abs(difference) / np.sqrt(scale), freedom)
    p_value = np.where(varies, by_t, np.where(np.abs(difference) > 1e-12, 0.0, 1.0))
    return SeedDifference(difference, difference - width, difference + width, p_value)
