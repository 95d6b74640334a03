"""Decides what every difference means: one of the two is better, they are equal, or neither is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from paraphrase_lab.comparison.candidates import numbers_of
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.runs.recipe import Recipe
from paraphrase_lab.statistics import EQUAL_WITHIN, FEWEST_SEEDS
from paraphrase_lab.statistics.comparison import RECIPES, UNDECIDED, Difference
from paraphrase_lab.statistics.joint import paired_uncertainty, uncertainty
from paraphrase_lab.statistics.paired import Paired
from paraphrase_lab.statistics.seeds import welch
from paraphrase_lab.statistics.verdict import SIGNIFICANCE, holm, outcome, sentence, too_few_seeds

ONE_QUESTION = ("accuracy", "f1")
"""Nearly the same question: looking at both is not looking twice."""


def decided(
    paired: Mapping[tuple[str, str], Paired],
    versus: Sequence[tuple[int, int]],
    recipes: Sequence[Recipe],
    question: str,
    *,
    equal_within: float = EQUAL_WITHIN,
    each_metric: bool = False,
    paired_seeds: bool = False,
    level: float = SIGNIFICANCE,
) -> list[Difference]:
    """Return the differences of a family of tests, corrected together; none where a slice does not define the metric.

    Accuracy and F1 of the same comparison are one question, unless `each_metric` is true. With `paired_seeds` the runs of two
    recipes are compared seed by seed, in the order that both have. A corrected p-value below `level` decides.
    """
    numbers, tests = numbers_of(recipes), []
    for (metric, part), one in paired.items():
        for place, (a, b) in enumerate(versus):
            if not np.isnan(one.low[place]):
                names = (recipes[a].name, recipes[b].name)
                tests.append(
                    _tested(metric, part, one, place, (numbers[a], numbers[b]), names, equal_within, paired_seeds=paired_seeds)
                )
    runs = {recipe.name: len(recipe.rows) for recipe in recipes}
    return [
        _judged(test, questions, min(runs[test.a], runs[test.b]), question, level)
        for test, questions in _corrected(tests, each_metric)
    ]


def _tested(
    metric: str,
    part: str,
    one: Paired,
    place: int,
    runs: tuple[list[int], list[int]],
    names: tuple[str, str],
    margin: float,
    *,
    paired_seeds: bool,
) -> Difference:
    """Return one difference, not corrected yet: for recipes over pairs and seeds together, for models over the pairs."""
    of_a, of_b = (one.values[numbers] for numbers in runs)
    difference = float(of_b.mean() - of_a.mean())
    shares_a, shares_b = (one.shares[numbers] for numbers in runs)
    if paired_seeds:
        unsure = paired_uncertainty(of_b - of_a, shares_b - shares_a, one.clusters)
    else:
        unsure = uncertainty(of_a, of_b, shares_a, shares_b, one.clusters)
    low, high, p_value = (float(values[place]) for values in (one.low, one.high, one.p_values))
    test = Difference(
        metric=metric, slice=part, a=names[0], b=names[1], value_a=float(of_a.mean()), value_b=float(of_b.mean()),
        difference=difference, low=low, high=high, p_value=p_value, equal_within=margin, pairs_low=low, pairs_high=high,
        p_unequal=unsure.p_value(difference, margin), detectable=unsure.detectable(), pairs=one.pairs,
    )  # fmt: skip
    if min(len(of_a), len(of_b)) < FEWEST_SEEDS:
        return replace(test, pairs_to_decide=unsure.pairs_to_decide(difference, margin, one.pairs))
    seeds = welch(np.zeros_like(of_a), of_b - of_a) if paired_seeds else welch(of_a, of_b)
    low, high = unsure.interval(difference)
    lead = np.sign(of_b - of_a if paired_seeds else of_b[:, None] - of_a) * (1 if HIGHER_IS_BETTER[metric] else -1)
    return replace(
        test, low=low, high=high, p_value=unsure.p_value(difference), seeds_low=seeds.low, seeds_high=seeds.high,
        ahead=float((lead.mean() + 1) / 2), seeds_to_decide=unsure.seeds_to_decide(difference, margin),
    )  # fmt: skip


def _corrected(tests: Sequence[Difference], each_metric: bool) -> list[tuple[Difference, int]]:
    """Correct both p-values of every test by Holm's method; return each with the number of questions."""
    metrics = list(dict.fromkeys(test.metric for test in tests))
    alike = [] if each_metric else [name for name in metrics if name in ONE_QUESTION]
    corrected: dict[int, tuple[Difference, int]] = {}
    for chosen in alike or metrics[:1]:
        left_out = {name for name in alike if name != chosen}
        family = [number for number, test in enumerate(tests) if test.metric not in left_out]
        different, unequal = (
            holm([getattr(tests[number], name) for number in family]).tolist() for name in ("p_value", "p_unequal")
        )
        for number, p_adjusted, p_unequal in zip(family, different, unequal, strict=True):
            corrected.setdefault(number, (replace(tests[number], p_adjusted=p_adjusted, p_unequal=p_unequal), len(family)))
    return [corrected[number] for number in range(len(tests))]


def _judged(one: Difference, questions: int, seeds: int, question: str, level: float) -> Difference:
    kind, winner = outcome(one, level)
    one = replace(one, outcome=kind, better=winner)
    if question == RECIPES and not one.is_of_recipes:
        text = too_few_seeds(one, questions, seeds)
        return replace(one, outcome=UNDECIDED, better=None, verdict=text)
    return replace(one, verdict=sentence(one, questions))
