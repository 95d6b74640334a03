"""The resampled metrics are those of `paraphrase_lab.metrics.binary`, on all pairs and on any choice of clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from paraphrase_lab.metrics.binary import METRIC_NAMES, binary_metrics, decide
from paraphrase_lab.statistics.bootstrap import cluster_weights, interval, portions, resample
from paraphrase_lab.statistics.metric_sums import SUMMED, Scored
from paraphrase_lab.statistics.paired import compare_paired, observed
from paraphrase_lab.statistics.ranking import RANKED
from paraphrase_lab.statistics.seeds import welch
from paraphrase_lab.statistics.sign_flip import as_large, exchanged_sums, flips, p_values, ranked_shares
from paraphrase_lab.statistics.verdict import holm

THRESHOLDS = (0.5, 0.313, 0.7)


def scored_pairs(pairs: int, runs: int = 3, digits: int = 3, seed: int = 0) -> tuple[Scored, np.ndarray]:
    """Answers with many ties, and clusters of 1 to 8 pairs."""
    random = np.random.default_rng(seed)
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    margins = np.where(labels == 1, 1.0, -1.0) + random.normal(scale=1.5, size=(runs, pairs))
    probabilities = np.round(1 / (1 + np.exp(-2 * margins)), digits)
    predictions = np.stack([decide(one, threshold) for one, threshold in zip(probabilities, THRESHOLDS, strict=False)])
    clusters = np.repeat(np.arange(pairs), random.integers(1, 9, size=pairs))[:pairs]
    return Scored(labels, probabilities, predictions), clusters


def test_every_metric_is_either_summed_or_ranked() -> None:
    assert {*SUMMED, *RANKED} == set(METRIC_NAMES)


@pytest.mark.parametrize("metric", METRIC_NAMES)
@pytest.mark.parametrize("digits", [1, 9])
def test_on_all_pairs(metric: str, digits: int) -> None:
    scored, _ = scored_pairs(700, digits=digits)
    expected = [
        binary_metrics(scored.labels, one, threshold)[metric]
        for one, threshold in zip(scored.probabilities, THRESHOLDS, strict=True)
    ]
    assert observed(metric, scored) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_on_resamples_as_if_their_pairs_were_copied(metric: str) -> None:
    scored, clusters = scored_pairs(300, digits=2)
    weights = cluster_weights(clusters.max() + 1, 5, np.random.default_rng(1))
    found = resample(metric, scored, clusters, weights)
    for number, column in enumerate(weights.T):
        drawn = np.repeat(np.arange(300), column[clusters].astype(int))
        expected = [
            binary_metrics(scored.labels[drawn], one[drawn], threshold)[metric]
            for one, threshold in zip(scored.probabilities, THRESHOLDS, strict=True)
        ]
        assert found[:, number] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("label", "answer"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_where_all_labels_are_the_same(metric: str, label: int, answer: int) -> None:
    probabilities = np.array([[0.9, 0.8, 0.7]]) if answer else np.array([[0.1, 0.2, 0.3]])
    scored = Scored(np.full(3, label), probabilities, np.full((1, 3), answer))
    expected = binary_metrics(scored.labels, probabilities[0])[metric]
    assert observed(metric, scored)[0] == pytest.approx(expected, nan_ok=True)


def test_weights_draw_as_many_clusters_as_there_are() -> None:
    weights = cluster_weights(7, 250, np.random.default_rng(0))
    assert weights.shape == (7, 250)
    assert (weights.sum(axis=0) == 7).all()
    assert weights.mean() == pytest.approx(1)
    assert weights.var() == pytest.approx(6 / 7, rel=0.1)  # of a binomial count


def test_portions_cover_every_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paraphrase_lab.statistics.bootstrap.WEIGHTS_AT_ONCE", 1_000)
    assert [(part.start, part.stop) for part in portions(300, 8)] == [(0, 3), (3, 6), (6, 8)]
    assert [(part.start, part.stop) for part in portions(5_000, 2)] == [(0, 1), (1, 2)]


def test_portions_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    scored, clusters = scored_pairs(400)
    parts = {(metric, "all"): np.ones(400, dtype=bool) for metric in ("accuracy", "roc_auc")}
    whole = compare_paired(scored, clusters, parts, [([0], [1])], resamples=2_000)
    monkeypatch.setattr("paraphrase_lab.statistics.bootstrap.WEIGHTS_AT_ONCE", 20_000)
    pieces = compare_paired(scored, clusters, parts, [([0], [1])], resamples=2_000)
    for part, found in whole.items():
        assert pieces[part].low == pytest.approx(found.low, abs=0.004)
        assert pieces[part].p_values == pytest.approx(found.p_values, abs=0.05)


def test_interval_agrees_with_scipy_where_every_pair_is_a_cluster() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=400)
    ours = interval(values @ cluster_weights(400, 20_000, np.random.default_rng(1)) / 400, 400)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_where_resamples_do_not_define_the_metric() -> None:
    estimates = np.linspace(0, 1, 1_001)
    seldom, often = np.where(estimates < 0.01, np.nan, estimates), np.where(estimates < 0.2, np.nan, estimates)
    low, high = interval(np.stack([estimates, seldom, often]), 1_000)
    assert low == pytest.approx([0.0249, 0.0346, np.nan], abs=1e-3, nan_ok=True)
    assert high == pytest.approx([0.9751, 0.9753, np.nan], abs=1e-3, nan_ok=True)
    assert np.isnan(interval(estimates, 1)).all()


def test_exchanging_every_cluster_turns_the_difference_round() -> None:
    scored, clusters = scored_pairs(300)
    first, second = ([2, 2, 1], [3, 2, 2]), ([0, 1, 2], [1, 3, 2])
    signs = np.array([[1, -1], [1, -1], [1, -1]], dtype=np.float32)
    found = exchanged_sums("f1", np.array(first, dtype=float), np.array(second, dtype=float), signs)
    assert found == pytest.approx([3 / 6 - 5 / 7, 5 / 7 - 3 / 6])


def test_exchanging_gives_the_metric_of_the_exchanged_answers() -> None:
    """F1 is no mean: computed by hand from the answers of two models, exchanged in every other cluster."""
    scored, clusters = scored_pairs(200, runs=2)
    exchanged = clusters % 2 == 1
    a, b = scored.predictions
    mixed = np.where(exchanged, b, a), np.where(exchanged, a, b)
    expected = [binary_metrics(scored.labels, one.astype(float))["f1"] for one in mixed]
    columns = [SUMMED["f1"].columns(scored.labels, one.astype(float), one) for one in (a, b)]
    first, second = (np.stack([np.bincount(clusters, weights=column) for column in one]) for one in columns)
    signs = np.where(np.arange(first.shape[1]) % 2 == 1, -1, 1).astype(np.float32)[:, None]
    assert exchanged_sums("f1", first, second, signs)[0] == pytest.approx(expected[1] - expected[0], abs=1e-6)


def test_what_is_not_defined_is_no_evidence() -> None:
    assert as_large(np.array(0.5), np.array([0.1, -0.6, 0.5, np.nan])) == 3
    assert p_values(np.array([0, 9, 99]), 99) == pytest.approx([0.01, 0.1, 1.0])


def test_signs_are_as_often_plus_as_minus() -> None:
    signs = flips(50, 400, np.random.default_rng(0))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.02


@pytest.mark.parametrize("metric", RANKED)
def test_shares_of_the_clusters_add_up_to_the_metric(metric: str) -> None:
    scored, clusters = scored_pairs(900, digits=9)
    assert ranked_shares(metric, scored, clusters).sum(axis=1) == pytest.approx(observed(metric, scored), abs=2e-3)


@pytest.mark.parametrize("metric", RANKED)
def test_ranking_test_is_right_about_equal_runs_and_finds_a_difference(metric: str) -> None:
    random = np.random.default_rng(3)
    chance, planted = [], []
    for _ in range(60):
        labels = (random.random(210) < 0.44).astype(np.int64)
        scores = 1 / (1 + np.exp(-2 * (labels - 0.5) - random.normal(scale=(1.0, 1.0, 4.0), size=(210, 3)).T))
        scored = Scored(labels, scores, decide(scores))
        found = compare_paired(
            scored, np.arange(210) // 3, {(metric, "all"): labels >= 0}, [([0], [1]), ([0], [2])], resamples=200
        )
        chance.append(found[metric, "all"].p_values[0])
        planted.append(found[metric, "all"].p_values[1])
    assert np.mean(np.array(chance) < 0.05) <= 0.12  # 60 times 5 %: 7 at most in 99 of 100 cases
    assert np.mean(np.array(planted) < 0.05) > 0.9


def test_a_slice_is_tested_as_if_it_were_the_whole_set() -> None:
    scored, clusters = scored_pairs(600)
    mask = clusters % 3 == 0
    of_part = compare_paired(scored, clusters, {("f1", "part"): mask}, [([0], [1])], resamples=4_000)["f1", "part"]
    renumbered = np.unique(clusters[mask], return_inverse=True)[1]
    alone = compare_paired(scored.at(mask), renumbered, {("f1", "all"): mask[mask]}, [([0], [1])], resamples=4_000)["f1", "all"]
    assert (of_part.pairs, of_part.clusters) == (mask.sum(), renumbered.max() + 1)
    assert of_part.values == pytest.approx(alone.values)
    # The whole set is drawn, so the size of a slice varies from draw to draw; the ends differ little for it.
    assert of_part.low == pytest.approx(alone.low, abs=0.01)
    assert of_part.p_values == pytest.approx(alone.p_values, abs=0.03)


def test_a_recipe_counts_the_mean_of_its_runs() -> None:
    scored, clusters = scored_pairs(500)
    parts = {("brier", "all"): np.ones(500, dtype=bool)}
    found = compare_paired(scored, clusters, parts, [([0, 1], [2]), ([2], [0, 1])], resamples=3_000)["brier", "all"]
    middle = (found.low[0] + found.high[0]) / 2
    assert middle == pytest.approx(found.values[2] - found.values[:2].mean(), abs=0.002)
    assert found.low[0] == pytest.approx(-found.high[1], abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_welch_agrees_with_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(0.9, 0.01, size=3), random.normal(0.91, 0.03, size=5)
    found = welch(a, b)
    expected: Any = stats.ttest_ind(b, a, equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.low == pytest.approx(ends.low)
    assert found.high == pytest.approx(ends.high)


def test_welch_where_no_seed_differs() -> None:
    same, apart = welch([0.9, 0.9, 0.9], [0.9, 0.9, 0.9]), welch([0.9, 0.9, 0.9], [0.8, 0.8, 0.8])
    assert (same.low, same.high, same.p_value) == pytest.approx((0, 0, 1))
    assert (apart.low, apart.high, apart.p_value) == pytest.approx((-0.1, -0.1, 0))


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # the example of R's p.adjust
    assert holm([0.02, float("nan"), 0.9]) == pytest.approx([0.04, np.nan, 0.9], nan_ok=True)
    assert holm([]).size == 0
