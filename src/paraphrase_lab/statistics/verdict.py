"""Says in one sentence which candidate is better, by how much and how sure that is.

The p-values are corrected for the number of comparisons, of which some look significant by chance.
"""

from collections.abc import Sequence

import numpy as np

from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.comparison import Difference
from paraphrase_lab.statistics.formatting import IN_POINTS, shown

FOR_THESE_TWO = "; for these two models: "
"""Stands between what holds for the recipes and the sentence about two runs."""
SIGNIFICANCE = 0.05


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


def better(one: Difference) -> str | None:
    """Return the better one's name, if the corrected p-value is below 0.05 and every interval excludes 0."""
    if not one.excludes_zero or not one.p_adjusted < SIGNIFICANCE:
        return None
    return one.b if (one.difference > 0) == HIGHER_IS_BETTER[one.metric] else one.a


def sentence(one: Difference, comparisons: int) -> str:
    """Say which one is better, or why neither is called so; `comparisons`: how many were corrected together."""
    winner = better(one)
    if winner is None:
        ends = f", {_intervals(one, 1)}" if one.seeds is None else f" ({_intervals(one, 1)})"
        return f"no significant difference: {_amount(one, 1)}{ends}{_why(one, comparisons)}"
    sign = 1 if one.difference > 0 else -1
    amount, ends = _amount(one, sign), _intervals(one, sign)
    if HIGHER_IS_BETTER[one.metric]:
        return f"{winner} is better by {amount} ({ends})"
    return f"{winner} is better: {one.metric} lower by {amount} ({ends})"


def too_few_seeds(one: Difference, comparisons: int, seeds: int) -> str:
    fewest = f"too few seeds to compare the recipes ({seeds}, need {FEWEST_SEEDS})"
    return f"{fewest}{FOR_THESE_TWO}{sentence(one, comparisons)}"


def _shown(one: Difference, value: float) -> str:
    """Format with as many decimals as tell the values apart: points with one, or two where all are below half a point."""
    if one.metric not in IN_POINTS:
        return shown(one.metric, value)
    largest = max(abs(end) for end in (one.low, one.high, *(one.seeds or ())))
    return shown(one.metric, value, 1 if largest >= 0.005 else 2)


def _amount(one: Difference, sign: int) -> str:
    text = _shown(one, sign * one.difference)
    if one.metric in IN_POINTS:
        return f"{text} {'point' if text in ('1.0', '-1.0') else 'points'}"
    return text


def _intervals(one: Difference, sign: int) -> str:
    def ends(low: float, high: float) -> str:
        low, high = sorted((sign * low, sign * high))
        return f"{_shown(one, low)} to {_shown(one, high)}"

    over_pairs = ends(one.low, one.high)
    return f"pairs: {over_pairs}; seeds: {ends(*one.seeds)}" if one.seeds else over_pairs


def _why(one: Difference, comparisons: int) -> str:
    """Give the p-values where the intervals exclude 0 and the difference is not significant yet."""
    if not one.excludes_zero:
        return ""
    if one.larger_p_value < SIGNIFICANCE:
        return f" (p {one.larger_p_value:.2g}, {one.p_adjusted:.2g} after correction for {comparisons} comparisons)"
    return f" (p {one.larger_p_value:.2g})"
