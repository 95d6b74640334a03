"""The joint interval: its parts, its degrees of freedom, and what it says of seeds and pairs that were not run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from paraphrase_lab.statistics.joint import Uncertainty, uncertainty
from paraphrase_lab.statistics.metric_sums import SUMMED, Scored, cluster_sums, summed_shares
from paraphrase_lab.statistics.seeds import welch


def shares(random: np.random.Generator, seeds: int, clusters: int, *, shared: float, own: float) -> np.ndarray:
    """What each cluster adds: the same for all seeds, and a seed's own [seeds, clusters]."""
    return (shared * random.normal(size=clusters) + own * random.normal(size=(seeds, clusters))) / clusters


def test_without_an_effect_of_the_pairs_it_is_welchs() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(0.8, 0.02, 4), random.normal(0.85, 0.05, 6)
    flat_a, flat_b = (np.repeat(values[:, None] / 100, 100, axis=1) for values in (a, b))
    unsure, known = uncertainty(a, b, flat_a, flat_b, 100), welch(a, b)
    difference = b.mean() - a.mean()
    assert unsure.interval(difference) == pytest.approx((known.low, known.high))
    assert unsure.p_value(difference) == pytest.approx(known.p_value) == ttest_ind(b, a, equal_var=False)[1]


def test_one_run_each_is_a_test_over_the_clusters() -> None:
    random = np.random.default_rng(1)
    a, b = shares(random, 1, 50, shared=1, own=0.3), shares(random, 1, 50, shared=1, own=0.3)
    unsure = uncertainty(a.sum(axis=1), b.sum(axis=1), a, b, 50)
    differences = (b - a)[0] * 50
    assert unsure.error == pytest.approx(differences.std(ddof=1) / np.sqrt(50)) and unsure.freedom == pytest.approx(49)


def test_the_seeds_own_mistakes_count_once() -> None:
    """Seeds that differ in single clusters only: the spread over the pairs is theirs already."""
    random = np.random.default_rng(2)
    for shared, most in ((0.0, 0.25), (3.0, 2.0)):
        a, b = (shares(random, 20, 400, shared=shared, own=1.0) for _ in "ab")
        unsure = uncertainty(a.sum(axis=1), b.sum(axis=1), a, b, 400)
        ratio = unsure.pairs / (unsure.seeds_a + unsure.seeds_b)
        assert ratio < most if shared == 0 else ratio > most


def test_equality_is_two_one_sided_tests() -> None:
    unsure = Uncertainty(0.0004, 0.0, 0.0, 5, 5, 100)
    above, below = (t.sf((0.1 + sign * 0.03) / unsure.error, unsure.freedom) for sign in (1, -1))
    assert unsure.p_value(0.03, 0.1) == pytest.approx(max(above, below)) == unsure.p_value(-0.03, 0.1)
    assert unsure.p_value(0.2, 0.1) > 0.5


def test_identical_runs_are_equal_and_nothing_is_divided_by_zero() -> None:
    same = np.full((3, 10), 0.08)
    unsure = uncertainty(same.sum(axis=1), same.sum(axis=1), same, same, 10)
    assert unsure.interval(0.0) == (0.0, 0.0) and unsure.p_value(0.0) == 1.0 and unsure.p_value(0.0, 0.01) == 0.0
    assert unsure.detectable() == 0.0


@pytest.mark.parametrize(
    ("seeds", "spread", "found"),
    [(3, 0.01, 3.7), (3, 0.03, 10.6), (5, 0.01, 2.3), (5, 0.03, 6.3), (10, 0.01, 1.6), (10, 0.03, 4.1)],
)
def test_what_a_number_of_seeds_can_show(seeds: int, spread: float, found: float) -> None:
    """Points that 80 % of studies find on 4,000 pairs whose choice alone allows 1.4, as a simulation tells them."""
    pairs = float((0.014 / (t.ppf(0.975, 800) + t.ppf(0.8, 800))) ** 2)
    unsure = Uncertainty(spread**2 / seeds, spread**2 / seeds, pairs, seeds, seeds, 800)
    assert 100 * unsure.detectable() == pytest.approx(found, rel=0.2)


def test_seeds_and_pairs_that_would_decide() -> None:
    unsure = Uncertainty(0.0001, 0.0001, 0.00001, 3, 3, 800)
    seeds = unsure.seeds_to_decide(0.02, 0.01)
    assert seeds is not None and unsure.with_runs(seeds).detectable() <= 0.02 < unsure.with_runs(seeds - 1).detectable()
    assert unsure.seeds_to_decide(0.0, 0.001) is None, "the pairs are too few for a margin that small"
    few = Uncertainty(0.0, 0.0, 0.0001, 1, 1, 100)
    pairs = few.pairs_to_decide(0.02, 0.01, 500)
    assert pairs is not None and 500 * 1.5 < pairs < 500 * 3


def test_shares_add_up_to_the_metric() -> None:
    random = np.random.default_rng(3)
    labels, predictions = random.integers(0, 2, 300), random.integers(0, 2, (2, 300))
    scored = Scored(labels, 0.1 + 0.8 * predictions, predictions)
    clusters = np.arange(300) // 3
    for metric in ("accuracy", "f1", "nll"):
        sums = cluster_sums(metric, scored, clusters, 100)
        whole = cluster_sums(metric, scored, np.zeros(300, dtype=int), 1)
        value = SUMMED[metric].value(whole)[:, 0]
        assert summed_shares(metric, sums).sum(axis=1) == pytest.approx(value, abs=2e-3)
