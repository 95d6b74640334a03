"""Correction of p-values for the number of comparisons, of which some look significant by chance."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return adjusted p-values [comparisons] of Holm 1979: below 0.05 with at most 5 % risk of a single false one among all.

    A p-value that is nan (nothing to test) stays nan and does not count.
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted
