from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paraphrase_lab.statistics.comparison import BETTER, EQUAL, UNDECIDED, Difference
from paraphrase_lab.statistics.formatting import shown
from paraphrase_lab.statistics.verdict import outcome, sentence, too_few_seeds


def finding(difference: float, low: float, high: float, metric: str = "accuracy", **fields: Any) -> Difference:
    """Decide a difference over the pairs; over pairs and seeds where `seeds` holds the ends over the seeds alone."""
    if seeds := fields.pop("seeds", None):
        fields |= {"seeds_low": seeds[0], "seeds_high": seeds[1], "ahead": 1.0}
    fields = {"pairs_low": low, "pairs_high": high, "p_value": 0.001, "p_adjusted": 0.002, "p_unequal": 1.0} | fields
    one = Difference(
        metric=metric, slice="all", a="a", b="b", value_a=0.8, value_b=0.8 + difference, difference=difference, low=low,
        high=high, pairs=100, **fields,
    )  # fmt: skip
    kind, winner = outcome(one)
    return replace(one, outcome=kind, better=winner)


BOTH = {"pairs_low": 0.005, "pairs_high": 0.019, "seeds": (0.002, 0.022)}
SENTENCES = [
    (finding(0.012, 0.005, 0.019), "b is better by 1.2 points (0.5 to 1.9)"),
    (finding(-0.012, -0.019, -0.005), "a is better by 1.2 points (0.5 to 1.9)"),
    (finding(0.003, -0.002, 0.009), "undecided: 0.3 points (-0.2 to 0.9)"),
    (
        finding(0.0012, 0.0004, 0.0021),
        "b is better by 0.12 points (0.04 to 0.21), less than the 1.00 point that counts as equal",
    ),
    (finding(0.01, 0.005, 0.02), "b is better by 1.0 point (0.5 to 2.0)"),
    (finding(-0.02, -0.03, -0.01, "nll"), "b is better: nll lower by 0.0200 (0.0100 to 0.0300)"),
    (finding(0.02, 0.01, 0.03, "ece"), "a is better: ece lower by 0.0200 (0.0100 to 0.0300)"),
    (
        finding(0.009, 0.001, 0.017, p_value=0.03, p_adjusted=0.18),
        "undecided: 0.9 points (0.1 to 1.7) (p 0.03, 0.18 after correction for 6 questions)",
    ),
    (finding(0.009, 0.001, 0.017, p_value=0.06, p_adjusted=0.06), "undecided: 0.9 points (0.1 to 1.7) (p 0.06)"),
    (
        finding(0.012, 0.001, 0.023, **BOTH),
        "b is better by 1.2 points (0.1 to 2.3; pairs alone ± 0.7, seeds alone ± 1.0)",
    ),
    (
        finding(0.001, -0.006, 0.008, p_adjusted=0.7, p_unequal=0.01, **BOTH),
        "equal within 1.0 point: the difference is 0.1 points (-0.6 to 0.8; pairs alone ± 0.7, seeds alone ± 1.0)",
    ),
    (
        finding(0.012, -0.002, 0.026, p_adjusted=0.08, detectable=0.021, seeds_to_decide=12, **BOTH),
        "undecided: 1.2 points (-0.2 to 2.6; pairs alone ± 0.7, seeds alone ± 1.0). These seeds and pairs can show "
        "2.1 points; about 12 seeds of each would decide",
    ),
    (
        finding(0.012, -0.002, 0.026, p_adjusted=0.08, detectable=0.021, **BOTH),
        "undecided: 1.2 points (-0.2 to 2.6; pairs alone ± 0.7, seeds alone ± 1.0). These seeds and pairs can show "
        "2.1 points; more test pairs would decide",
    ),
    (
        finding(0.003, -0.002, 0.009, detectable=0.011, pairs_to_decide=3700),
        "undecided: 0.3 points (-0.2 to 0.9). These pairs can show 1.1 points; about 3,700 pairs would decide",
    ),
]


@pytest.mark.parametrize(("one", "expected"), SENTENCES, ids=[text for _, text in SENTENCES])
def test_sentences(one: Difference, expected: str) -> None:
    assert sentence(one, 6) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (finding(0.01, 0.001, 0.02), (BETTER, "b")),
        (finding(0.01, 0.001, 0.02, "brier"), (BETTER, "a")),
        (finding(0.01, -0.001, 0.02), (UNDECIDED, None)),
        (finding(0.01, 0.001, 0.02, p_adjusted=0.05), (UNDECIDED, None)),
        (finding(0.01, 0.001, 0.02, p_adjusted=float("nan")), (UNDECIDED, None)),
        (finding(0.0, 0.0, 0.0, p_adjusted=1.0, p_unequal=0.0), (EQUAL, None)),
        (finding(0.001, -0.004, 0.006, p_unequal=0.05), (UNDECIDED, None)),
        (finding(0.002, 0.001, 0.003, p_unequal=0.001), (BETTER, "b")),
    ],
)
def test_outcomes_need_the_interval_and_the_corrected_p(one: Difference, expected: tuple[str, str | None]) -> None:
    assert outcome(one) == expected


def test_too_few_seeds() -> None:
    text = too_few_seeds(finding(0.012, 0.005, 0.019), 2, 1)
    assert text == (
        "too few seeds to compare the recipes (1, need 3); for these two models: b is better by 1.2 points (0.5 to 1.9)"
    )


def test_nothing_is_minus_zero() -> None:
    assert [shown("accuracy", value, 1) for value in (-0.0001, 0.0, -0.001)] == ["0.0", "0.0", "-0.1"]
