"""From numbers to one sentence: which candidate is better, by how much and how sure that is."""

from typing import NamedTuple

from paraphrase_lab.metrics.binary import HIGHER_IS_BETTER
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.formatting import IN_POINTS, shown

SIGNIFICANCE = 0.05


class Finding(NamedTuple):
    """The difference b - a in one metric, its intervals and p-values."""

    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    """Before correction; the larger of pairs' and seeds' where both are tested."""
    p_adjusted: float
    comparisons: int
    seeds: tuple[float, float] | None = None
    """The interval over the seeds; None where the question is about two models."""

    @property
    def excludes_zero(self) -> bool:
        """True if 0 is in none of the intervals."""
        ends = [(self.low, self.high), *([self.seeds] if self.seeds else [])]
        return all(low > 0 for low, _ in ends) or all(high < 0 for _, high in ends)


def better(finding: Finding, a: str, b: str) -> str | None:
    """Return the better one's name, if the corrected p-value is below 0.05 and every interval excludes 0."""
    if not finding.excludes_zero or not finding.p_adjusted < SIGNIFICANCE:
        return None
    return b if (finding.difference > 0) == HIGHER_IS_BETTER[finding.metric] else a


def sentence(finding: Finding, a: str, b: str) -> str:
    winner = better(finding, a, b)
    if winner is None:
        ends = f" ({_intervals(finding, 1)})" if finding.seeds else f", {_intervals(finding, 1)}"
        return f"no significant difference: {_amount(finding, 1)}{ends}{_why(finding)}"
    sign = 1 if finding.difference > 0 else -1
    amount, ends = _amount(finding, sign), _intervals(finding, sign)
    if HIGHER_IS_BETTER[finding.metric]:
        return f"{winner} is better by {amount} ({ends})"
    return f"{winner} is better: {finding.metric} lower by {amount} ({ends})"


def too_few_seeds(finding: Finding, a: str, b: str, seeds: tuple[int, int]) -> str:
    fewest = f"too few seeds to compare the recipes ({min(seeds)}, need {FEWEST_SEEDS})"
    return f"{fewest}; for these two models: {sentence(finding, a, b)}"


def _shown(finding: Finding, value: float) -> str:
    """Format with as many decimals as tell the values apart: points with one, or two where all are below half a point."""
    if finding.metric not in IN_POINTS:
        return shown(finding.metric, value)
    largest = max(abs(end) for end in (finding.low, finding.high, *(finding.seeds or ())))
    return shown(finding.metric, value, 1 if largest >= 0.005 else 2)


def _amount(finding: Finding, sign: int) -> str:
    text = _shown(finding, sign * finding.difference)
    if finding.metric in IN_POINTS:
        return f"{text} {'point' if text in ('1.0', '-1.0') else 'points'}"
    return text


def _intervals(finding: Finding, sign: int) -> str:
    def ends(low: float, high: float) -> str:
        low, high = sorted((sign * low, sign * high))
        return f"{_shown(finding, low)} to {_shown(finding, high)}"

    over_pairs = ends(finding.low, finding.high)
    return f"pairs: {over_pairs}; seeds: {ends(*finding.seeds)}" if finding.seeds else over_pairs


def _why(finding: Finding) -> str:
    """Give the p-values where the intervals exclude 0 and the difference is not significant yet."""
    if not finding.excludes_zero:
        return ""
    if finding.p_value < SIGNIFICANCE:
        return f" (p {finding.p_value:.2g}, {finding.p_adjusted:.2g} after correction for {finding.comparisons} comparisons)"
    return f" (p {finding.p_value:.2g})"
