"""Do the intervals hold what they promise? Test sets with clusters, and recipes with seeds, simulated by the thousand.

Clusters are right or wrong together: a pair is answered rightly where a hidden score, partly its cluster's, is low enough. The
answers go the way that those of runs go in `paraphrase compare`: resampled, measured, corrected, decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scipy.stats import norm

from paraphrase_lab.comparison.decisions import decided
from paraphrase_lab.runs.recipe import Recipe
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.statistics.bootstrap import cluster_weights, interval
from paraphrase_lab.statistics.comparison import MODELS, RECIPES, Difference
from paraphrase_lab.statistics.metric_sums import Scored
from paraphrase_lab.statistics.paired import Paired, compare_paired

CLUSTERS, PAIRS_PER_CLUSTER, RESAMPLES, WITHIN_CLUSTER = 150, 5, 500, 0.7
SEEDS = 3
PORTION = 50
"""Simulations that share labels and resamples."""
ROW = RunRow("run", "run", "finished", {}, {}, {})


def hidden(random: np.random.Generator, simulations: int, clusters: int = CLUSTERS) -> np.ndarray:
    """Draw the hardness of each pair, normal with mean 0 and spread 1 [simulations, clusters, pairs]."""
    shared = random.normal(size=(simulations, clusters, 1))
    own = random.normal(size=(simulations, clusters, PAIRS_PER_CLUSTER))
    return np.sqrt(WITHIN_CLUSTER) * shared + np.sqrt(1 - WITHIN_CLUSTER) * own


def answers(random: np.random.Generator, share_right: np.ndarray, simulations: int) -> np.ndarray:
    """Right or wrong [simulations, clusters, pairs]; models make mistakes of their own, cluster by cluster."""
    return hidden(random, simulations) < norm.ppf(share_right)


def found(
    right_a: np.ndarray,
    right_b: np.ndarray,
    metrics: Sequence[str] = ("accuracy",),
    *,
    naive: bool = False,
    equal_within: float = 0.01,
) -> list[list[Difference]]:
    """Compare as `paraphrase compare` does in every simulation, one difference per metric.

    Args:
        right_a, right_b: right or wrong [seeds, simulations, clusters, pairs].
        naive: as if every pair were a cluster of its own.
    """
    answers = np.stack([right_a, right_b]).reshape(2, *right_a.shape[:2], -1)
    random, comparisons = np.random.default_rng(2), []
    for number, start in enumerate(range(0, answers.shape[2], PORTION)):
        portion = answers[:, :, start : start + PORTION]
        comparisons += _compared(portion, metrics, random, seed=number, naive=naive, equal_within=equal_within)
    return comparisons


def _compared(
    right: np.ndarray, metrics: Sequence[str], random: np.random.Generator, *, seed: int, naive: bool, equal_within: float
) -> Iterator[list[Difference]]:
    """Compare the candidates of each simulation, from right or wrong [candidates, seeds, simulations, pairs]."""
    seeds, simulations, pairs = right.shape[1:]
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    right = right.transpose(2, 0, 1, 3).reshape(-1, pairs)
    predictions = np.where(right, labels, 1 - labels)
    clusters = np.arange(pairs) // (1 if naive else PAIRS_PER_CLUSTER)
    numbers = np.arange(len(right)).reshape(-1, seeds).tolist()
    versus = [(2 * number, 2 * number + 1) for number in range(simulations)]
    parts = {(metric, "all"): np.ones(pairs, dtype=bool) for metric in metrics}
    sets = [(numbers[a], numbers[b]) for a, b in versus]
    scored = Scored(labels, 0.1 + 0.8 * predictions, predictions)
    paired = compare_paired(scored, clusters, parts, sets, resamples=RESAMPLES, seed=seed)
    question = RECIPES if seeds > 1 else MODELS
    for number, (a, b) in enumerate(versus):
        recipes = [Recipe(f"{name} of {number}", (ROW,) * seeds) for name in "ab"]
        family = {part: _only(one, number, [*numbers[a], *numbers[b]]) for part, one in paired.items()}
        yield decided(family, [(0, 1)], recipes, question, equal_within=equal_within)


def _only(one: Paired, comparison: int, runs: list[int]) -> Paired:
    low, high, p_values = (values[[comparison]] for values in (one.low, one.high, one.p_values))
    return one._replace(values=one.values[runs], shares=one.shares[runs], low=low, high=high, p_values=p_values)


def covered(differences: Sequence[Difference], truth: float | np.ndarray, *, over: str = "") -> float:
    """Return how often the interval that decides holds the truth, or that over the pairs or the seeds alone."""
    names = [f"{over}_low", f"{over}_high"] if over else ["low", "high"]
    low, high = np.array([[getattr(one, name) for name in names] for one in differences], dtype=np.float64).T
    return float(np.mean((low <= truth) & (truth <= high)))


def called_different(comparisons: Sequence[Sequence[Difference]]) -> float:
    """Share of the comparisons in which one of the two is called better in any metric."""
    return float(np.mean([any(one.better for one in family) for family in comparisons]))


def share_of_small_p(differences: Sequence[Difference]) -> float:
    return float(np.mean([one.p_value < 0.05 for one in differences]))


@pytest.mark.parametrize(("share_a", "share_b"), [(0.85, 0.85), pytest.param(0.80, 0.86, marks=pytest.mark.slow)])
def test_two_models_the_interval_over_clusters_covers_and_the_one_over_pairs_does_not(share_a: float, share_b: float) -> None:
    random, simulations = np.random.default_rng(1), 2_000
    right_a, right_b = (answers(random, np.array(share), simulations)[None] for share in (share_a, share_b))
    accuracy, f1 = zip(*found(right_a, right_b, ("accuracy", "f1")), strict=True)
    assert covered(accuracy, share_b - share_a) == pytest.approx(0.95, abs=0.02)
    assert covered(f1, population_f1(share_b) - population_f1(share_a)) == pytest.approx(0.95, abs=0.02)
    naive = [one for (one,) in found(right_a, right_b, naive=True)]
    assert covered(naive, share_b - share_a) < 0.85
    if share_a == share_b:  # the test too: without clusters it finds something where nothing is
        assert share_of_small_p(accuracy) == pytest.approx(0.05, abs=0.02)
        assert share_of_small_p(f1) == pytest.approx(0.05, abs=0.02)
        assert share_of_small_p(naive) > 0.15


def population_f1(share_right: float, yes: float = 0.44) -> float:
    hits = yes * share_right
    return 2 * hits / (yes + hits + (1 - yes) * (1 - share_right))


def test_few_clusters_are_covered_too() -> None:
    """30 clusters: the plain percentile interval would hold the truth in about 92.5 % of the cases."""
    random, simulations = np.random.default_rng(5), 3_000
    values = random.normal(size=(simulations, 30))
    weights = cluster_weights(30, 2_000, random)
    estimates = (values.astype(np.float32) @ weights) / 30
    low, high = interval(estimates, 30)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.012)
    low, high = np.quantile(estimates, (0.025, 0.975), axis=-1)
    assert np.mean((low <= 0) & (high >= 0)) < 0.94


def recipe_runs(
    random: np.random.Generator,
    hardness: np.ndarray,
    share_right: float,
    spread: float,
    seeds: int = SEEDS,
    *,
    own: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong [seeds, simulations, clusters, pairs], and how much a recipe gets right on each test set [simulations].

    Every seed moves the share of right answers by `spread`, and makes a few mistakes of its own.

    Args:
        own: how much of the hardness is this recipe's own; 0: both find the same pairs hard.
    """
    own_mistakes = 0.3
    fixed = np.sqrt(1 - own_mistakes - own) * hardness
    if own:
        fixed = fixed + np.sqrt(own) * hidden(random, *hardness.shape[:2])
    nodes, probabilities = np.polynomial.hermite_e.hermegauss(5)
    shares = np.clip(share_right + spread * nodes, 0.01, 0.99)[:, None, None, None]
    expected = norm.cdf((norm.ppf(shares) - fixed) / np.sqrt(own_mistakes)).mean(axis=(-1, -2))
    truth = (probabilities / probabilities.sum()) @ expected
    moved = np.clip(share_right + spread * random.normal(size=(seeds, hardness.shape[0], 1, 1)), 0.01, 0.99)
    return fixed + np.sqrt(own_mistakes) * random.normal(size=(seeds, *hardness.shape)) < norm.ppf(moved), truth


@pytest.mark.parametrize(
    "spread", [pytest.param(0.003, marks=pytest.mark.slow), pytest.param(0.01, marks=pytest.mark.slow), 0.03]
)
def test_two_recipes_the_interval_over_seeds_covers_and_the_one_over_pairs_does_not(spread: float) -> None:
    """The same test set for both; what an interval over pairs misses is that another seed would have given another model.

    With three seeds Welch's interval is a little wide: 96.4 % where both spreads are equal (400,000 simulations).
    """
    random, simulations = np.random.default_rng(11), 2_000
    hardness = hidden(random, simulations, clusters=60)
    (right_a, truth_a), (right_b, truth_b) = (recipe_runs(random, hardness, share, spread) for share in (0.85, 0.88))
    differences = [one for (one,) in found(right_a, right_b)]
    assert covered(differences, truth_b - truth_a, over="seeds") == pytest.approx(0.95, abs=0.02)
    if spread == 0.03:
        assert covered(differences, truth_b - truth_a, over="pairs") < 0.7


@pytest.mark.parametrize(
    "spread", [pytest.param(0.003, marks=pytest.mark.slow), pytest.param(0.01, marks=pytest.mark.slow), 0.03]
)
def test_equal_recipes_are_seldom_called_different(spread: float) -> None:
    random, simulations = np.random.default_rng(13), 800
    hardness = hidden(random, simulations)
    right_a, right_b = (recipe_runs(random, hardness, 0.85, spread)[0] for _ in "ab")
    share = called_different(found(right_a, right_b, ("accuracy", "f1")))
    assert share <= 0.07
    if spread == 0.03:  # of the same trainings as models every second two differ: that is another question
        share = called_different(found(right_a[:1], right_b[:1]))
        assert share > 0.4


@pytest.mark.parametrize(("spread", "share_a", "share_b", "seeds"), [(0.003, 0.82, 0.88, 3), (0.01, 0.80, 0.88, 5)])
def test_a_planted_difference_is_found(spread: float, share_a: float, share_b: float, seeds: int) -> None:
    random, simulations = np.random.default_rng(17), 300
    hardness = hidden(random, simulations)
    right_a, right_b = (recipe_runs(random, hardness, share, spread, seeds)[0] for share in (share_a, share_b))
    comparisons = found(right_a, right_b, ("accuracy", "f1"))
    share = called_different([family[:1] for family in comparisons])
    assert share > 0.9
    assert not any(one.better and one.better.startswith("a") for family in comparisons for one in family)
    (sure, *_) = [family[0] for family in comparisons if family[0].better]
    assert sure.verdict.startswith(f"{sure.b} is better by ") and ", seeds alone ± " in sure.verdict


OWN = 0.3
"""Share of the hardness that is a recipe's own, so that recipes are good at different pairs."""
GRID = [(seeds, spread) for seeds in (3, 5, 10) for spread in (0.003, 0.01, 0.03)]
QUICK = (5, 0.01)
CELLS = [pytest.param(*cell, marks=() if cell == QUICK else pytest.mark.slow) for cell in GRID]


@pytest.mark.parametrize(("seeds", "spread"), CELLS)
def test_recipes_that_are_good_at_different_pairs(seeds: int, spread: float) -> None:
    """Equal on average: 5 % are called different, and the interval holds 0 in 95 % of the cases.

    Where both recipes find the same pairs hard, the seeds' share of the pairs' variance is all of it, and the interval is a
    little wide. By the larger of two p-values, that of the seeds and that of the pairs, some 7 to 10 % were called different.
    """
    random, simulations = np.random.default_rng(19), 1_500 if (seeds, spread) == QUICK else 3_000
    hardness = hidden(random, simulations)
    right_a, right_b = (recipe_runs(random, hardness, 0.85, spread, seeds, own=OWN)[0] for _ in "ab")
    differences = [one for (one,) in found(right_a, right_b)]
    assert called_different([[one] for one in differences]) == pytest.approx(0.05, abs=0.015)
    assert covered(differences, 0.0) == pytest.approx(0.95, abs=0.015)
    if seeds > 3 and spread < 0.03:
        assert covered(differences, 0.0, over="seeds") < 0.9, "Welch's interval alone is too narrow"


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "spread"), GRID)
def test_recipes_that_find_the_same_pairs_hard(seeds: int, spread: float) -> None:
    random = np.random.default_rng(23)
    hardness = hidden(random, 3_000)
    (right_a, truth_a), (right_b, truth_b) = (recipe_runs(random, hardness, 0.85, spread, seeds) for _ in "ab")
    differences = [one for (one,) in found(right_a, right_b)]
    assert 0.025 <= called_different([[one] for one in differences]) <= 0.065
    assert 0.935 <= covered(differences, truth_b - truth_a) <= 0.975


@pytest.mark.slow
def test_three_seeds_of_very_different_spreads_are_called_different_too_often() -> None:
    """The known exception, documented: 3 seeds, of which one recipe's spread ten times as much."""
    random = np.random.default_rng(29)
    hardness = hidden(random, 3_000)
    right_a, right_b = (recipe_runs(random, hardness, 0.85, spread, own=OWN)[0] for spread in (0.003, 0.03))
    assert 0.05 <= called_different([[one] for (one,) in found(right_a, right_b)]) <= 0.09


def test_equality_is_shown_where_it_holds_and_seldom_where_it_does_not() -> None:
    random, simulations = np.random.default_rng(31), 600
    hardness = hidden(random, simulations)
    for difference, least, most in ((0.0, 0.8, 1.0), (0.05, 0.0, 0.07)):
        shares = (0.85, 0.85 + difference)
        right_a, right_b = (recipe_runs(random, hardness, share, 0.003, 5, own=0.1)[0] for share in shares)
        differences = [one for (one,) in found(right_a, right_b, equal_within=0.05)]
        assert least <= np.mean([one.p_unequal < 0.05 for one in differences]) <= most
