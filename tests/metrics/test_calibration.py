import json

import numpy as np
import pytest
from scipy.special import expit

from paraphrase_lab.errors import TrainingError, UserError
from paraphrase_lab.metrics.binary import binary_metrics, decide
from paraphrase_lab.metrics.calibration import NEUTRAL, Calibration, fit_temperature, fit_threshold


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


@pytest.mark.parametrize("seed", range(20))
def test_threshold_is_as_good_as_any(seed):
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, 2, size=25), random.integers(0, 11, size=25) / 10
    threshold = fit_threshold(labels, scores)

    def accuracy(at: float) -> float:
        return float((decide(scores, at) == labels).mean())

    everywhere = [*np.unique(scores), 2.0]
    assert accuracy(threshold) == max(map(accuracy, everywhere))


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([], [], 0.5),
        ([0, 1], [0.2, 0.4], 0.3),
        ([1, 0], [0.4, 0.2], 0.3),
        ([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.9], 0.75),  # 3 right at 0.2 and at 0.75: 0.75 is nearer to 0.5
        ([1, 1], [0.6, 0.8], 0.3),  # all yes
        ([0, 0], [0.2, 0.4], 0.7),  # all no
        ([1, 0], [0.5, 0.5], 0.25),  # a tie cannot be cut: all yes and all no are right once, as near to 0.5
        ([1], [0.0], 0.0),
    ],
)
def test_threshold_by_hand(labels, scores, expected):
    assert fit_threshold(np.array(labels), np.array(scores)) == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[1.0, 1.0], [np.nextafter(0.7, 0), 0.7], [np.nextafter(1, 0), 1.0]])
@pytest.mark.parametrize("labels", [[0, 0], [0, 1], [1, 1]])
def test_threshold_separates_saturated_and_adjacent_scores(labels, scores):
    labels, scores = np.array(labels), np.array(scores)
    separable = scores[0] < scores[1] or labels[0] == labels[1]
    right = (decide(scores, fit_threshold(labels, scores)) == labels).sum()
    assert right == (2 if separable else 1)


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
    assert calibration.threshold == fit_threshold(labels[:2000], calibration.probabilities(shifted[:2000]))


def test_neutral_changes_nothing():
    margin = np.array([-3.0, 0.0, 40.0], dtype=np.float32)
    assert Calibration.fit(np.array([]), np.array([])) == NEUTRAL == Calibration(1.0, 0.5, 0)
    assert NEUTRAL.probabilities(margin).tolist() == expit(margin.astype(np.float64)).tolist()
    assert NEUTRAL.probabilities(margin).dtype == np.float64


@pytest.mark.parametrize("calibration", [NEUTRAL, Calibration(1.7, 0.41, 1603), Calibration(1.0, np.nextafter(1, 2), 1)])
def test_survives_json(calibration):
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


def test_a_fitted_calibration_survives_json():
    calibration = Calibration.fit(*margins_that_need(2.0, 50))
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


@pytest.mark.parametrize("values", [{}, {"temperature": 1.0, "threshold": "half", "pairs": 3}, {"temperature": 1.0}])
def test_what_is_no_calibration(values):
    with pytest.raises(UserError, match=r"not a calibration: \{.*\n.*numbers for temperature, threshold, pairs"):
        Calibration.from_dict(values)


@pytest.mark.parametrize(
    "values", [(0.0, 0.5, 1), (-1.0, 0.5, 1), (np.nan, 0.5, 1), (1.0, 1.5, 1), (1.0, np.nan, 1), (1.0, 0.5, -1)]
)
def test_calibration_out_of_range(values):
    with pytest.raises(UserError, match="out of range"):
        Calibration.from_dict(dict(zip(("temperature", "threshold", "pairs"), values, strict=True)))


@pytest.mark.parametrize("fit", [fit_temperature, lambda scores, labels: fit_threshold(labels, scores)])
def test_scores_of_a_diverged_model(fit):
    with pytest.raises(TrainingError, match="1 of 2 scores are not finite numbers"):
        fit(np.array([np.nan, 1.0]), np.array([0, 1]))
