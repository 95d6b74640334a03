"""Says in one sentence which candidate is better, by how much and how sure that is, or what would decide it.

The p-values are corrected for the number of questions, of which some look decided by chance.
"""

from collections.abc import Sequence

import numpy as np

from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.comparison import BETTER, EQUAL, UNDECIDED, Difference
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


def outcome(one: Difference, level: float = SIGNIFICANCE) -> tuple[str, str | None]:
    """Return better, equal or undecided, and the better one's name: by the corrected p-values, and an interval without 0."""
    if one.p_adjusted < level and (one.low > 0 or one.high < 0):
        return BETTER, one.b if (one.difference > 0) == HIGHER_IS_BETTER[one.metric] else one.a
    return (EQUAL if one.p_unequal < level else UNDECIDED), None


def sentence(one: Difference, questions: int) -> str:
    """Say which one is better, that they are equal, or what would decide it; `questions`: how many were corrected together."""
    margin = _amount(one, one.equal_within)
    if one.outcome == EQUAL:
        return f"equal within {margin}: the difference is {_amount(one, one.difference)} ({_intervals(one, 1)})"
    if one.outcome == UNDECIDED:
        return f"undecided: {_amount(one, one.difference)} ({_intervals(one, 1)}){_why(one, questions)}{_to_decide(one)}"
    sign = 1 if one.difference > 0 else -1
    amount, ends = _amount(one, sign * one.difference), _intervals(one, sign)
    small = f", less than the {margin} that counts as equal" if abs(one.difference) < one.equal_within else ""
    if HIGHER_IS_BETTER[one.metric]:
        return f"{one.better} is better by {amount} ({ends}){small}"
    return f"{one.better} is better: {one.metric} lower by {amount} ({ends}){small}"


def too_few_seeds(one: Difference, questions: int, seeds: int) -> str:
    fewest = f"too few seeds to compare the recipes ({seeds}, need {FEWEST_SEEDS})"
    return f"{fewest}{FOR_THESE_TWO}{sentence(one, questions)}"


def _shown(one: Difference, value: float) -> str:
    """Format with as many decimals as tell the values apart: points with one, or two where all are below half a point."""
    if one.metric not in IN_POINTS:
        return shown(one.metric, value)
    largest = max(abs(end) for end in (one.low, one.high))
    return shown(one.metric, value, 1 if largest >= 0.005 else 2)


def _amount(one: Difference, value: float) -> str:
    text = _shown(one, value)
    if one.metric in IN_POINTS:
        return f"{text} {'point' if abs(float(text)) == 1 else 'points'}"
    return text


def _intervals(one: Difference, sign: int) -> str:
    low, high = sorted((sign * one.low, sign * one.high))
    ends = f"{_shown(one, low)} to {_shown(one, high)}"
    if not one.is_of_recipes:
        return ends
    pairs, seeds = (_shown(one, (high - low) / 2) for low, high in one.parts)
    return f"{ends}; pairs alone ± {pairs}, seeds alone ± {seeds}"


def _why(one: Difference, questions: int) -> str:
    """Give the p-values where the interval excludes 0 and the difference is not significant yet."""
    if not (one.low > 0 or one.high < 0):
        return ""
    if one.p_value < SIGNIFICANCE:
        return f" (p {one.p_value:.2g}, {one.p_adjusted:.2g} after correction for {questions} questions)"
    return f" (p {one.p_value:.2g})"


def _to_decide(one: Difference) -> str:
    """Say what could have been found, and what would decide; the numbers follow spreads that few seeds tell roughly."""
    if np.isnan(one.detectable):
        return ""
    found = _amount(one, one.detectable)
    if one.is_of_recipes:
        could = f". These seeds and pairs can show {found}"
        way = (
            f"about {one.seeds_to_decide} seeds of each would decide" if one.seeds_to_decide else "more test pairs would decide"
        )
        return f"{could}; {way}"
    way = f"; about {one.pairs_to_decide:,} pairs would decide" if one.pairs_to_decide else ""
    return f". These pairs can show {found}{way}"
