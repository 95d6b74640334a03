import json

import numpy as np
import pytest
from scipy.special import expit

from paraphrase_lab.errors import TrainingError, UserError
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.metrics.calibration import NEUTRAL, Calibration, fit_bias, fit_platt, fit_temperature, fit_threshold


def margins_that_need(temperature: float, pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Margins and labels drawn so that sigmoid(margin / temperature) is the truth."""
    random = np.random.default_rng(seed)
    margin = random.normal(scale=3 * temperature, size=pairs)
    return margin, (random.random(pairs) < expit(margin / temperature)).astype(np.int64)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_recovers_the_truth(temperature):
    assert fit_temperature(*margins_that_need(temperature, 20_000)) == pytest.approx(temperature, rel=0.05)


def test_temperature_agrees_with_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    margin, labels = margins_that_need(2.0, 300)
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(margin[:, None], labels)
    assert fit_temperature(margin, labels) == pytest.approx(1 / reference.coef_.item(), rel=1e-4)


@pytest.mark.slow
def test_temperature_has_the_least_nll_of_a_grid():
    margin, labels = margins_that_need(3.0, 500, seed=1)
    fitted = binary_metrics(labels, expit(margin / fit_temperature(margin, labels)))["nll"]
    grid = [binary_metrics(labels, expit(margin / temperature))["nll"] for temperature in np.geomspace(0.05, 20, 200)]
    assert fitted <= min(grid) + 1e-9


@pytest.mark.parametrize(
    ("margin", "labels", "expected"),
    [
        ([], [], 1.0),
        ([3.0], [1], 1.0),
        ([-2.0, 0.0, 5.0], [0, 1, 1], 1.0),
        ([0.0, 0.0], [0, 1], 1.0),
        ([3.0], [0], 20.0),
        ([-2.0, 5.0, 4.0], [1, 0, 0], 20.0),
        ([1e4, -1e4, 1e4], [1, 0, 0], 20.0),
    ],
)
def test_temperature_of_separable_reversed_and_tiny_sets(margin, labels, expected):
    assert fit_temperature(np.array(margin), np.array(labels)) == pytest.approx(expected, rel=1e-4)


def test_temperature_grows_with_the_margins():
    margin, labels = margins_that_need(1.0, 500)
    small, large = fit_temperature(margin / 8, labels), fit_temperature(margin * 8, labels)
    assert large == pytest.approx(64 * small, rel=1e-4)
    assert fit_temperature(np.array([0.5, 0.5, 0.5, -0.5]), np.ones(4)) == pytest.approx(0.5 / np.log(3), rel=1e-4)


def test_temperature_reads_half_precision():
    margin, labels = margins_that_need(2.0, 400)
    assert fit_temperature(margin.astype(np.float16), labels) == pytest.approx(fit_temperature(margin, labels), rel=1e-2)


@pytest.mark.parametrize("bias", [-3.0, 0.0, 1.5])
def test_bias_recovers_the_truth(bias):
    random = np.random.default_rng(1)
    logits = random.normal(scale=3, size=20_000)
    assert fit_bias(logits, (random.random(20_000) < expit(logits + bias)).astype(np.int64)) == pytest.approx(bias, abs=0.1)


@pytest.mark.parametrize(
    ("logits", "labels", "mean"),
    [
        ([0.0, 0.0, 0.0], [1, 1, 1], 4 / 5),  # Platt's target of three paraphrases
        ([500.0, -500.0], [0, 0], 1 / 4),
        ([-2.0, 2.0], [0, 1], 1 / 2),  # separated: without the targets the likelihood would not say
        ([-3.0, 1.0, 2.0, 2.0], [0, 0, 0, 1], (3 / 5 + 2 / 3) / 4),
    ],
)
def test_bias_makes_the_mean_probability_the_mean_target(logits, labels, mean):
    bias = fit_bias(np.array(logits), np.array(labels))
    assert np.isfinite(bias) and expit(np.array(logits) + bias).mean() == pytest.approx(mean, abs=1e-6)


def test_bias_agrees_with_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    margin, labels = margins_that_need(1.0, 4_000)
    calibrated = margin / fit_temperature(margin, labels) - 1.3
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(calibrated[:, None], labels)
    assert fit_bias(calibrated, labels) == pytest.approx(reference.intercept_.item(), abs=0.02)


@pytest.mark.parametrize(("temperature", "shift"), [(0.3, 0.0), (1.0, -2.0), (4.0, 6.0)])
def test_temperature_and_bias_are_fitted_together(temperature, shift):
    from sklearn.linear_model import LogisticRegression

    margin, labels = margins_that_need(temperature, 20_000)
    found = fit_platt(margin + shift, labels)
    assert found == pytest.approx((temperature, -shift / temperature), rel=0.06, abs=0.06)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit((margin + shift)[:, None], labels)
    assert found == pytest.approx((1 / reference.coef_.item(), reference.intercept_.item()), rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(
    ("margin", "labels", "temperature", "answers"),
    [
        ([3.0, 2.0, 5.0], [1, 1, 1], 1.0, None),  # one label says nothing about the temperature
        ([2.0, 2.0], [0, 1], 1.0, None),
        ([-2.0, 2.0], [0, 1], 2 / np.log(2), [1 / 3, 2 / 3]),  # separated: Platt's targets
        ([5.0, -5.0, 4.0], [0, 1, 0], 20.0, None),  # worse than chance
    ],
)
def test_temperature_and_bias_of_tiny_sets(margin, labels, temperature, answers):
    found = Calibration.fit(np.array(margin), np.array(labels))
    assert found.temperature == pytest.approx(temperature, rel=1e-3) and np.isfinite(found.bias)
    if answers:
        assert found.probabilities(np.array(margin)) == pytest.approx(answers, abs=1e-4)


@pytest.mark.parametrize("pairs", [50, 200])
def test_a_fitted_threshold_loses_accuracy_on_few_pairs_where_temperature_and_bias_do_not(pairs):
    """The threshold with the best accuracy on validation fits its noise."""
    margin, labels = margins_that_need(2.0, 40_000, seed=9)
    best = float(np.mean((margin > 0) == labels))
    lost = []
    for seed in range(200):
        chosen = np.random.default_rng(seed).choice(len(margin), pairs, replace=False)
        fitted = [Calibration.fit(margin[chosen], labels[chosen], with_threshold=which) for which in (False, True)]
        lost.append([best - np.mean((one.probabilities(margin) >= one.threshold) == labels) for one in fitted])
    with_bias, with_threshold = 100 * np.mean(lost, axis=0)
    assert with_bias < 0.6 * with_threshold
    assert with_bias < 40 / pairs and with_threshold > 40 / pairs


@pytest.mark.parametrize(
    ("probabilities", "labels", "threshold"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], 0.25),
        ([0.1, 0.9], [0, 1], 0.5),
        ([0.2, 0.3], [1, 1], 0.25),  # 0.5 finds none of them
    ],
)
def test_threshold_with_the_best_accuracy(probabilities, labels, threshold):
    assert fit_threshold(np.array(probabilities), np.array(labels)) == pytest.approx(threshold)


def test_margins_undo_the_calibration():
    calibration, margin = Calibration(1.7, 0.5, 10, -0.4), np.array([-30.0, 0.0, 0.2])
    assert calibration.margins(margin / 1.7 - 0.4) == pytest.approx(margin)


def test_fit_then_freeze():
    margin, labels = margins_that_need(3.0, 4000)
    shifted = margin + 2.0
    calibration = Calibration.fit(shifted[:2000], labels[:2000])
    assert calibration.pairs == 2000
    before, after = expit(shifted[2000:]), calibration.probabilities(shifted[2000:])
    raw = binary_metrics(labels[2000:], before)
    calibrated = binary_metrics(labels[2000:], after, calibration.threshold)
    assert calibrated["nll"] < raw["nll"]
    assert calibrated["ece"] < raw["ece"]
    assert calibrated["accuracy"] > raw["accuracy"]
    assert calibrated["roc_auc"] == pytest.approx(raw["roc_auc"])
    assert calibration.threshold == 0.5
    assert Calibration.fit(shifted, labels, with_bias=False).bias == 0


def test_neutral_changes_nothing():
    margin = np.array([-3.0, 0.0, 40.0], dtype=np.float32)
    assert Calibration.fit(np.array([]), np.array([])) == NEUTRAL == Calibration(1.0, 0.5, 0)
    assert NEUTRAL.probabilities(margin).tolist() == expit(margin.astype(np.float64)).tolist()
    assert NEUTRAL.probabilities(margin).dtype == np.float64


@pytest.mark.parametrize("calibration", [NEUTRAL, Calibration(1.7, 0.5, 1603, -0.3), Calibration(1.0, np.nextafter(1, 2), 1)])
def test_survives_json(calibration):
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


def test_a_calibration_of_an_earlier_release_has_a_threshold_and_no_bias():
    before = Calibration.from_dict({"temperature": 2.0, "threshold": 0.41, "pairs": 9})
    assert before == Calibration(2.0, 0.41, 9, bias=0.0)


def test_a_fitted_calibration_survives_json():
    calibration = Calibration.fit(*margins_that_need(2.0, 50))
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


@pytest.mark.parametrize("values", [{}, {"temperature": 1.0, "threshold": "half", "pairs": 3}, {"temperature": 1.0}])
def test_what_is_no_calibration(values):
    with pytest.raises(UserError, match=r"not a calibration: \{.*\n.*numbers for temperature, threshold, pairs, bias"):
        Calibration.from_dict(values)


@pytest.mark.parametrize(
    "values",
    [(1.0, 0.5, 1, np.inf), (0.0, 0.5, 1), (-1.0, 0.5, 1), (np.nan, 0.5, 1), (1.0, 1.5, 1), (1.0, np.nan, 1), (1.0, 0.5, -1)],
)
def test_calibration_out_of_range(values):
    with pytest.raises(UserError, match="out of range"):
        Calibration.from_dict(dict(zip(("temperature", "threshold", "pairs", "bias"), values, strict=False)))


@pytest.mark.parametrize("fit", [fit_temperature, fit_bias])
def test_scores_of_a_diverged_model(fit):
    with pytest.raises(TrainingError, match="1 of 2 scores are not finite numbers"):
        fit(np.array([np.nan, 1.0]), np.array([0, 1]))
