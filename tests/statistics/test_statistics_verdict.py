from __future__ import annotations

from typing import Any

import pytest

from paraphrase_lab.statistics.comparison import Difference
from paraphrase_lab.statistics.formatting import shown
from paraphrase_lab.statistics.verdict import better, sentence, too_few_seeds


def finding(
    difference: float,
    low: float,
    high: float,
    metric: str = "accuracy",
    seeds: tuple[Any, Any] = (None, None),
    **p_values: float,
) -> Difference:
    return Difference(
        metric, "all", "a", "b", 0.8, 0.8 + difference, difference, low, high, seeds_low=seeds[0], seeds_high=seeds[1],
        better=None, verdict="", seeds_p_value=None, pairs=100, **{"p_value": 0.001, "p_adjusted": 0.002, **p_values},
    )  # fmt: skip


SENTENCES = [
    (finding(0.012, 0.005, 0.019), "b is better by 1.2 points (0.5 to 1.9)"),
    (finding(-0.012, -0.019, -0.005), "a is better by 1.2 points (0.5 to 1.9)"),
    (finding(0.003, -0.002, 0.009), "no significant difference: 0.3 points, -0.2 to 0.9"),
    (finding(0.0012, 0.0004, 0.0021), "b is better by 0.12 points (0.04 to 0.21)"),
    (finding(0.01, 0.005, 0.02), "b is better by 1.0 point (0.5 to 2.0)"),
    (finding(-0.02, -0.03, -0.01, "nll"), "b is better: nll lower by 0.0200 (0.0100 to 0.0300)"),
    (finding(0.02, 0.01, 0.03, "ece"), "a is better: ece lower by 0.0200 (0.0100 to 0.0300)"),
    (
        finding(0.009, 0.001, 0.017, p_value=0.03, p_adjusted=0.18),
        "no significant difference: 0.9 points, 0.1 to 1.7 (p 0.03, 0.18 after correction for 6 comparisons)",
    ),
    (finding(0.009, 0.001, 0.017, p_value=0.06, p_adjusted=0.06), "no significant difference: 0.9 points, 0.1 to 1.7 (p 0.06)"),
    (finding(0.012, 0.005, 0.019, seeds=(0.002, 0.022)), "b is better by 1.2 points (pairs: 0.5 to 1.9; seeds: 0.2 to 2.2)"),
    (
        finding(0.012, 0.005, 0.019, p_value=0.08, p_adjusted=0.08, seeds=(-0.002, 0.026)),
        "no significant difference: 1.2 points (pairs: 0.5 to 1.9; seeds: -0.2 to 2.6)",
    ),
]


@pytest.mark.parametrize(("one", "expected"), SENTENCES, ids=[text for _, text in SENTENCES])
def test_sentences(one: Difference, expected: str) -> None:
    assert sentence(one, 6) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (finding(0.01, 0.001, 0.02), "b"),
        (finding(0.01, 0.001, 0.02, "brier"), "a"),
        (finding(0.01, -0.001, 0.02), None),
        (finding(0.01, 0.001, 0.02, p_adjusted=0.05), None),
        (finding(0.01, 0.001, 0.02, p_adjusted=float("nan")), None),
        (finding(0.01, 0.001, 0.02, seeds=(-0.001, 0.02)), None),
        (finding(0.0, 0.0, 0.0), None),
    ],
)
def test_better_needs_every_interval_and_the_corrected_p(one: Difference, expected: str | None) -> None:
    assert better(one) == expected


def test_too_few_seeds() -> None:
    text = too_few_seeds(finding(0.012, 0.005, 0.019), 2, 1)
    assert text == (
        "too few seeds to compare the recipes (1, need 3); for these two models: b is better by 1.2 points (0.5 to 1.9)"
    )


def test_nothing_is_minus_zero() -> None:
    assert [shown("accuracy", value, 1) for value in (-0.0001, 0.0, -0.001)] == ["0.0", "0.0", "-0.1"]
