import math

import numpy as np
import pytest

from paraphrase_lab.errors import TrainingError
from paraphrase_lab.metrics.binary import (
    HIGHER_IS_BETTER,
    METRIC_NAMES,
    baselines,
    binary_metrics,
    decide,
    ece_if_calibrated,
    expected_calibration_error,
    reliability_bins,
)


def scored_pairs(pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that are informative, over-confident and rich in ties."""
    random = np.random.default_rng(seed)
    labels = (random.random(pairs) < 0.44).astype(np.int64)
    margins = np.where(labels == 1, 1.0, -1.0) + random.normal(scale=1.5, size=pairs)
    return labels, np.round(1 / (1 + np.exp(-2 * margins)), 3)


def test_hand_computed():
    values = binary_metrics(np.array([1, 0, 1, 0]), np.array([0.9, 0.6, 0.4, 0.1]))
    assert values == pytest.approx(
        {
            "accuracy": 0.5,
            "f1": 0.5,
            "precision": 0.5,
            "recall": 0.5,
            "roc_auc": 3 / 4,
            "average_precision": 1 / 2 * 1 + 1 / 2 * 2 / 3,
            "nll": -(math.log(0.9) + math.log(0.4)) / 2,
            "brier": (0.01 + 0.36) / 2,
            "ece": (0.1 + 0.6) / 2,
        }
    )


def test_names_order_and_type():
    values = binary_metrics(*scored_pairs(50))
    assert tuple(values) == METRIC_NAMES == tuple(HIGHER_IS_BETTER)
    assert {type(value) for value in values.values()} == {float}
    assert [name for name in METRIC_NAMES if not HIGHER_IS_BETTER[name]] == ["nll", "brier", "ece"]


@pytest.mark.parametrize(("pairs", "low", "high"), [(100, 0.08, 0.12), (500, 0.036, 0.055), (2_000, 0.018, 0.027)])
def test_ece_that_a_perfectly_calibrated_model_would_have(pairs: int, low: float, high: float) -> None:
    """It grows small with the number of pairs alone, and labels drawn from the probabilities have it on average."""
    random = np.random.default_rng(pairs)
    probabilities = 1 / (1 + np.exp(-random.normal(scale=3, size=pairs)))
    found = ece_if_calibrated(probabilities)
    assert low < found < high and found == ece_if_calibrated(probabilities)
    drawn = [expected_calibration_error(random.random(pairs) < probabilities, probabilities) for _ in range(400)]
    assert found == pytest.approx(np.mean(drawn), rel=0.08)
    assert expected_calibration_error(random.random(pairs) < probabilities**2, probabilities) > 1.3 * found


def test_ece_of_a_model_that_is_sure_is_none_by_chance() -> None:
    assert ece_if_calibrated(np.array([0.0, 1.0, 1.0])) == 0


@pytest.mark.parametrize("threshold", [0.5, 0.3005])
def test_agrees_with_torchmetrics(threshold):
    torch = pytest.importorskip("torch")
    import torchmetrics.classification as reference

    labels, probabilities = scored_pairs(3000)
    # On a tie the two decide differently (>= here, > there); ties are pinned in test_threshold_is_inclusive.
    probabilities = np.where(probabilities == threshold, threshold + 1e-4, probabilities)
    metrics = {
        "accuracy": reference.BinaryAccuracy(threshold),
        "f1": reference.BinaryF1Score(threshold),
        "precision": reference.BinaryPrecision(threshold),
        "recall": reference.BinaryRecall(threshold),
        "roc_auc": reference.BinaryAUROC(),
        "average_precision": reference.BinaryAveragePrecision(),
        "ece": reference.BinaryCalibrationError(n_bins=15, norm="l1"),
    }
    values = binary_metrics(labels, probabilities, threshold)
    for name, metric in metrics.items():
        expected = float(metric(torch.tensor(probabilities), torch.tensor(labels)))
        assert values[name] == pytest.approx(expected, abs=1e-6), name


def test_agrees_with_scikit_learn():
    from sklearn.metrics import brier_score_loss, log_loss

    labels, probabilities = scored_pairs(3000, seed=1)
    values = binary_metrics(labels, probabilities)
    assert values["nll"] == pytest.approx(log_loss(labels, probabilities))
    assert values["brier"] == pytest.approx(brier_score_loss(labels, probabilities))


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_one_class_has_no_ranking_and_no_warning(label, probability):
    values = binary_metrics(np.full(3, label), np.full(3, probability))
    unrankable = {"roc_auc", "average_precision"}
    assert {name for name, value in values.items() if math.isnan(value)} == unrankable
    assert values["accuracy"] == float(label == (probability >= 0.5))


def test_certain_and_wrong_costs_a_finite_nll():
    values = binary_metrics(np.array([1, 0]), np.array([0.0, 1.0]))
    assert values["nll"] == pytest.approx(-math.log(np.finfo(np.float64).eps))
    assert values["brier"] == values["ece"] == 1


def test_threshold_is_inclusive_and_not_rounded_to_the_scores():
    assert decide(np.array([0.4, 0.5, 0.6]), 0.5).tolist() == [0, 1, 1]
    score = np.float32(0.1)
    just_above = float(score) + 1e-12
    assert decide(np.array([score]), just_above).tolist() == [0]
    assert (np.array([score]) >= just_above).tolist() == [True], "what numpy does with float32 scores"


def test_floors_of_the_official_paws_test_set():
    result = baselines(np.repeat([1, 0], [3536, 4464]))
    rate = 3536 / 8000
    assert list(result) == ["majority", "always_positive"]
    assert result["majority"]["accuracy"] == pytest.approx(0.558)
    assert result["majority"]["f1"] == 0
    assert result["always_positive"]["accuracy"] == pytest.approx(0.442)
    assert result["always_positive"]["f1"] == pytest.approx(0.613, abs=5e-4)
    for floor in result.values():
        assert floor["roc_auc"] == 0.5
        assert floor["average_precision"] == pytest.approx(rate)
        assert floor["nll"] == pytest.approx(-rate * math.log(rate) - (1 - rate) * math.log(1 - rate))
        assert floor["brier"] == pytest.approx(rate * (1 - rate))
        assert floor["ece"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("labels", [[1], [0], [1, 1], [0, 1]])
def test_floors_of_tiny_sets(labels):
    result = baselines(np.array(labels))
    assert result["majority"]["accuracy"] == max(np.mean(labels), 1 - np.mean(labels))
    assert result["always_positive"]["accuracy"] == np.mean(labels)


def test_bins_are_closed_on_the_left_and_the_last_on_both_sides():
    bins = reliability_bins(np.array([0, 1, 1, 0]), np.array([0.0, 0.25, 0.75, 1.0]), bins=4)
    assert bins.counts.tolist() == [1, 1, 0, 2]
    assert bins.mean_probability[[0, 1, 3]].tolist() == [0.0, 0.25, 0.875]
    assert bins.positive_rate[[0, 1, 3]].tolist() == [0, 1, 0.5]
    assert np.isnan([bins.mean_probability[2], bins.positive_rate[2]]).all()


def test_calibration_error_of_perfect_and_useless_probabilities():
    assert expected_calibration_error(np.array([0, 1, 1, 1]), np.full(4, 0.75)) == 0
    assert expected_calibration_error(np.array([0, 0]), np.array([1.0, 1.0])) == 1


def test_a_diverged_model_is_named():
    with pytest.raises(TrainingError, match=r"2 of 3 probabilities are not finite numbers: the model has diverged"):
        binary_metrics(np.array([0, 1, 1]), np.array([np.nan, np.inf, 0.5]))


@pytest.mark.parametrize(
    ("labels", "probabilities", "problem"),
    [
        ([], [], r"one probability per label: labels \(0,\)"),
        ([0, 1], [0.5], r"labels \(2,\), probabilities \(1,\)"),
        ([[0, 1]], [[0.5, 0.5]], r"labels \(1, 2\)"),
        ([0, 2], [0.5, 0.5], r"labels must be 0 or 1, not \[2\]"),
        ([0, 1], [-3.0, 2.5], r"must lie in 0-1, not -3 to 2.5"),
    ],
)
def test_mistakes_of_the_caller(labels, probabilities, problem):
    with pytest.raises(ValueError, match=problem):
        binary_metrics(np.array(labels), np.array(probabilities))


def test_floors_of_no_labels():
    with pytest.raises(ValueError, match=r"labels \(0,\)"):
        baselines(np.array([]))
