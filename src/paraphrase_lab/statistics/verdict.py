"""From numbers to one plain sentence: which is better, by how much, how sure."""

from __future__ import annotations

from typing import NamedTuple

from paraphrase_lab.metrics.binary import HIGHER_IS_BETTER
from paraphrase_lab.statistics import FEWEST_SEEDS

IN_POINTS = ("accuracy", "f1", "precision", "recall", "roc_auc", "average_precision")
"""Said in points: hundredths, as 1.2 points for 0.012."""
SIGNIFICANCE = 0.05


class Finding(NamedTuple):
    """What is known of b - a in one metric."""

    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    """Before correction: the larger of pairs' and seeds' where both are asked."""
    p_adjusted: float
    comparisons: int
    seeds: tuple[float, float] | None = None
    """The interval over the seeds; None where the question is about two models."""


def better(finding: Finding, a: str, b: str) -> str | None:
    """The better one's name, if the corrected p-value is below 0.05 and every interval excludes 0."""
    ends = [(finding.low, finding.high), *([finding.seeds] if finding.seeds else [])]
    sure = all(low > 0 for low, _ in ends) or all(high < 0 for _, high in ends)
    if not sure or not finding.p_adjusted < SIGNIFICANCE:
        return None
    return b if (finding.difference > 0) == HIGHER_IS_BETTER[finding.metric] else a


def sentence(finding: Finding, a: str, b: str) -> str:
    winner = better(finding, a, b)
    if winner is None:
        ends = f" ({_intervals(finding, 1)})" if finding.seeds else f", {_intervals(finding, 1)}"
        return f"not distinguishable: {_amount(finding, 1)}{ends}{_why(finding)}"
    sign = 1 if finding.difference > 0 else -1
    amount, ends = _amount(finding, sign), _intervals(finding, sign)
    if HIGHER_IS_BETTER[finding.metric]:
        return f"{winner} is better by {amount} ({ends})"
    return f"{winner} is better: {finding.metric} lower by {amount} ({ends})"


def too_few_seeds(finding: Finding, a: str, b: str, seeds: tuple[int, int]) -> str:
    fewest = f"{min(seeds)} seed{'s' if min(seeds) > 1 else ''}"
    return f"nothing about the recipes ({fewest}, {FEWEST_SEEDS} are needed); these very models: {sentence(finding, a, b)}"


def decimals(metric: str, *values: float) -> int:
    """As many as tell the values apart: points with one, or two where all are below half a point."""
    if metric not in IN_POINTS:
        return 4
    return 1 if max(abs(value) for value in values) >= 0.005 else 2


def shown(metric: str, value: float, places: int) -> str:
    text = f"{value * (100 if metric in IN_POINTS else 1):.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _places(finding: Finding) -> int:
    return decimals(finding.metric, finding.low, finding.high, *(finding.seeds or ()))


def _amount(finding: Finding, sign: int) -> str:
    text = shown(finding.metric, sign * finding.difference, _places(finding))
    if finding.metric in IN_POINTS:
        return f"{text} {'point' if text in ('1.0', '-1.0') else 'points'}"
    return text


def _intervals(finding: Finding, sign: int) -> str:
    def ends(low: float, high: float) -> str:
        low, high = sorted((sign * low, sign * high))
        return f"{shown(finding.metric, low, _places(finding))} to {shown(finding.metric, high, _places(finding))}"

    over_pairs = ends(finding.low, finding.high)
    return f"pairs: {over_pairs}; seeds: {ends(*finding.seeds)}" if finding.seeds else over_pairs


def _why(finding: Finding) -> str:
    """Where the intervals exclude 0 and it was still not enough."""
    ends = [(finding.low, finding.high), *([finding.seeds] if finding.seeds else [])]
    if not (all(low > 0 for low, _ in ends) or all(high < 0 for _, high in ends)):
        return ""
    if finding.p_value < SIGNIFICANCE:
        return f" (p {finding.p_value:.2g}, {finding.p_adjusted:.2g} after correction for {finding.comparisons} comparisons)"
    return f" (p {finding.p_value:.2g})"
