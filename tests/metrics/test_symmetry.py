"""The other order of a pair, and pairs whose answer everyone knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from commands import paraphrase
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, print_metrics, split_metrics
from paraphrase_lab.metrics.calibration import Calibration
from paraphrase_lab.metrics.symmetry import IDENTICAL, RANDOM, absurd_probes, order_metrics, probe_metrics, probe_tables


def table_of(pairs: list[tuple[str, str]]) -> PairTable:
    first, second = (list(sentences) for sentences in zip(*pairs, strict=True))
    return PairTable([str(number) for number in range(len(pairs))], first, second, np.zeros(len(pairs), dtype=np.int64))


def test_a_model_that_does_not_see_the_order() -> None:
    labels, probabilities = np.array([1, 0, 1]), np.array([0.9, 0.2, 0.4])
    found = order_metrics(labels, probabilities, probabilities, 0.5)
    assert found == {"flip_rate": 0.0, "order_gap": 0.0, "symmetrised_accuracy": pytest.approx(2 / 3)}


def test_a_model_that_does() -> None:
    labels, threshold = np.array([1, 0, 1, 0]), 0.6
    there, back = np.array([0.9, 0.9, 0.5, 0.1]), np.array([0.7, 0.2, 0.8, 0.2])
    found = order_metrics(labels, there, back, threshold)
    assert found["flip_rate"] == 0.5  # the second and the third
    assert found["order_gap"] == pytest.approx((0.2 + 0.7 + 0.3 + 0.1) / 4)
    assert found["symmetrised_accuracy"] == 1.0  # 0.8, 0.55, 0.65, 0.15: of the one order alone it is a half
    assert np.mean((there >= threshold) == labels) == 0.5


def test_probes_are_answered_at_the_threshold() -> None:
    found = probe_metrics({IDENTICAL: np.array([0.9, 0.65, 0.3, 0.8]), RANDOM: np.array([0.1, 0.7])}, 0.65)
    assert found == {"identical_positive_rate": 0.75, "random_positive_rate": 0.5}


@pytest.mark.parametrize(
    ("identical", "unrelated", "absurd"),
    [
        (0.9, 0.1, []),
        (0.8999, 0.1001, ["test/identical_positive_rate", "test/random_positive_rate"]),
        (1.0, 0.7, ["test/random_positive_rate"]),
    ],
)
def test_absurd_rates(identical: float, unrelated: float, absurd: list[str]) -> None:
    rates = {"test/accuracy": 0.1, "test/identical_positive_rate": identical, "test/random_positive_rate": unrelated}
    said = absurd_probes(rates)
    assert list(said) == absurd and all(sentence.startswith("test: ") for sentence in said.values())


def test_absurd_rates_have_a_mark_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"test/accuracy": 0.75, "test/identical_positive_rate": 0.5, "test/random_positive_rate": 0.05}
    print_metrics(Console(width=100), "a run", metrics, {"test": {"majority": {"accuracy": 0.5}, "always_positive": {}}})
    shown = capsys.readouterr().out
    assert "0.5000 !" in shown and shown.count("!") == 1


def test_a_training_and_an_evaluation_say_them(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = absurd_probes(json.loads((tiny_run / "run.json").read_text())["metrics"]).values()
    assert said  # four steps teach nothing: either probe is answered by chance
    log, card = (tiny_run / "train.log").read_text(), (tiny_run / "model" / "README.md").read_text()
    assert paraphrase("evaluate", str(tiny_run)) == 0
    shown = capsys.readouterr().out
    assert all(sentence in log and f"- {sentence}." in card and sentence in shown for sentence in said)


def test_probes() -> None:
    pairs = [(f"sentence {number // 3}", f"sentence {number // 3} again {number}") for number in range(60)]
    table = table_of(pairs)
    probes = probe_tables(table)
    same, random = probes[IDENTICAL], probes[RANDOM]
    assert same.sentence1 == same.sentence2 and sorted(same.sentence1) == sorted(table.sentence1)
    assert same.labels.tolist() == [1] * 60 and random.labels.tolist() == [0] * 60
    clusters = dict(
        zip(table.sentence1 + table.sentence2, 2 * sentence_clusters(*zip(*pairs, strict=True)).tolist(), strict=True)
    )
    assert all(clusters[a] != clusters[b] for a, b in zip(random.sentence1, random.sentence2, strict=True))
    assert len(set(random.sentence2)) > 20  # drawn, not always the same one
    assert probe_tables(table)[RANDOM].sentence2 == random.sentence2  # every run on these pairs is asked the same
    assert len(probe_tables(table, pairs=7)[RANDOM]) == 7


def test_one_cluster_has_no_random_pairs() -> None:
    assert list(probe_tables(table_of([("a", "b"), ("b", "c")]))) == [IDENTICAL]


def test_they_are_metrics_of_a_split() -> None:
    table = table_of([("a", "b"), ("c", "d")])
    margins, calibration = np.array([4.0, -4.0]), Calibration(temperature=2.0, threshold=0.5, pairs=2)
    alone = split_metrics("test", ScoredSplit(table, margins), calibration)
    both = split_metrics("test", ScoredSplit(table, margins, np.array([-4.0, -4.0]), {IDENTICAL: np.array([3.0])}), calibration)
    assert set(both) - set(alone) == {
        f"test/{name}" for name in ("flip_rate", "order_gap", "symmetrised_accuracy", "identical_positive_rate")
    }
    assert both["test/flip_rate"] == 0.5 and both["test/identical_positive_rate"] == 1.0
    assert both["test/order_gap"] == pytest.approx((1 / (1 + np.exp(-2)) - 1 / (1 + np.exp(2))) / 2)  # after the temperature


def test_a_run_scores_its_test_pairs_in_both_orders(tiny_run: Path) -> None:
    from paraphrase_lab.lifecycle.trained import load_run
    from paraphrase_lab.predict import RunScorer

    record = json.loads((tiny_run / "run.json").read_text(encoding="utf-8"))
    table = pq.read_table(tiny_run / "predictions.parquet")
    validation, test = (table.filter(pc.field("split") == split) for split in ("validation", "test"))
    assert validation.column("swapped_margin").null_count == len(validation) > 0
    calibration = Calibration.from_dict(record["calibration"])
    swapped = calibration.probabilities(test.column("swapped_margin").to_numpy())
    first, second = (test.column(name).to_pylist() for name in ("sentence1", "sentence2"))
    _, model = load_run(tiny_run)
    scorer = RunScorer(tiny_run, model)
    assert scorer.score(list(zip(second, first, strict=True))) == pytest.approx(swapped, abs=1e-5)
    labels, probabilities = (test.column(name).to_numpy() for name in ("label", "probability"))
    found = order_metrics(labels, probabilities, swapped, calibration.threshold)
    assert {name: record["metrics"][f"test/{name}"] for name in found} == pytest.approx(found)
    answers = scorer.score(list(zip(first, first, strict=True)))
    assert record["metrics"]["test/identical_positive_rate"] == pytest.approx(
        np.mean(answers >= calibration.threshold), abs=0.011
    )
