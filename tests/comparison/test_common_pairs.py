"""The pairs that are compared, and notes about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paraphrase_lab.comparison.compare import compare_runs
from paraphrase_lab.comparison.same_pairs import in_order_of
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.errors import RunError
from paraphrase_lab.lifecycle.evaluation import ScoredSplit, write_predictions
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.predictions import read_predictions
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.seen_pairs import write_seen_pairs
from paraphrase_lab.statistics.comparison import Comparison
from written_runs import CALIBRATION, margins, pair_table, write_evaluation, write_run


def compared(*places: Path, **options: Any) -> Comparison:
    rows = [row for place in places for row in read_runs([str(place)])]
    return compare_runs(rows, resamples=500, by_slice=False, **options)


def test_what_evaluate_found_on_a_third_set_is_used(tmp_path: Path) -> None:
    third = pair_table(450, seed=7)
    for name, seed in (("a", 1), ("b", 2)):
        own = pair_table(300, seed=seed)
        run = write_run(tmp_path / name, 0.8, table=own, config={"model.num_layers": seed})
        write_evaluation(run, third, 0.8)
    found = compared(tmp_path / "a", tmp_path / "b")
    assert (found.fingerprint, found.pairs) == (third.fingerprint, 450)
    assert any("paraphrase evaluate" in note and third.fingerprint[:8] in note for note in found.notes)


@pytest.mark.parametrize("older", [False, True], ids=["by the report", "by the directory of older releases"])
def test_what_evaluate_found_on_another_split_is_not_used(tmp_path: Path, older: bool) -> None:
    """The runs share validation pairs only, which are no evidence about test."""
    shared = pair_table(450, seed=7)
    named = {"directory": "validation-12345678"} if older else {"directory": "x", "split": "validation"}
    for name, seed in (("a", 1), ("b", 2)):
        run = write_run(tmp_path / name, 0.8, table=pair_table(300, seed=seed), config={"model.num_layers": seed})
        write_evaluation(run, shared, 0.8, **named)
    with pytest.raises(RunError, match="scored on different test pairs"):
        compared(tmp_path / "a", tmp_path / "b")


def test_what_a_run_answered_itself_comes_before_an_evaluation_on_the_same_pairs(tmp_path: Path) -> None:
    """In another precision, say. The third run is why evaluations are looked at."""
    ours = pair_table()
    a, b = (write_run(tmp_path / name, 0.7, table=ours, config={"model.num_layers": name}) for name in "ab")
    write_evaluation(a, ours, 0.99)
    c = write_run(tmp_path / "c", 0.8, table=pair_table(300, seed=1), config={"model.num_layers": "c"})
    write_evaluation(c, ours, 0.8)
    found = compared(a, b, c)
    assert found.candidates[0].values == found.candidates[1].values


def test_what_evaluate_found_on_the_same_pairs_is_used(tmp_path: Path) -> None:
    ours, other = pair_table(), pair_table(300, seed=1)
    a = write_run(tmp_path / "a", 0.7, table=ours)
    b = write_run(tmp_path / "b", 0.85, table=other, config={"model.num_layers": 2})
    write_evaluation(b, ours, 0.85)
    found = compared(a, b)
    assert (found.fingerprint, found.pairs) == (ours.fingerprint, 600)
    assert found.differences[0].better is not None
    assert any("paraphrase evaluate" in note and str(b) in note for note in found.notes)


@pytest.mark.parametrize("split", [None, "validation"])
def test_validation_pairs_flatter(tmp_path: Path, split: str | None) -> None:
    """Without --split, test pairs are compared where there are any, else validation pairs, which is said."""
    table = pair_table(300)
    for layers in (1, 2):
        run = write_run(tmp_path / str(layers), 0.8, table=table, config={"model.num_layers": layers})
        scored = ScoredSplit(table, margins(table, 0.8, layers))
        write_predictions({"validation": scored}, CALIBRATION, run / "predictions.parquet")
        RunRecord.read(run).update(data={"validation": {"pairs": 300, "fingerprint": table.fingerprint}})
    found = compared(tmp_path, split=split)
    assert found.split == "validation"
    assert any("were chosen on these very pairs" in note for note in found.notes)
    assert any(note.startswith("These runs have scored no test pairs") for note in found.notes) == (split is None)


def test_runs_with_and_without_test_pairs_are_compared_on_validation(tmp_path: Path) -> None:
    table = pair_table(300)
    scored = ScoredSplit(table, margins(table, 0.8, 0))
    for name, splits in (("a", {"validation": scored}), ("b", {"validation": scored, "test": scored})):
        run = write_run(tmp_path / name, 0.8, config={"model.num_layers": name})
        write_predictions(splits, CALIBRATION, run / "predictions.parquet")
        RunRecord.read(run).update(data={name: {"pairs": 300, "fingerprint": table.fingerprint} for name in splits})
    found = compared(tmp_path / "a", tmp_path / "b")
    assert found.split == "validation"
    assert any(note.startswith(f"{tmp_path / 'a'} has scored no test pairs") for note in found.notes)


def test_test_pairs_that_were_evaluated_later_are_compared(tmp_path: Path) -> None:
    later, own = pair_table(450, seed=7), pair_table(300)
    for name in "ab":
        run = write_run(tmp_path / name, 0.8, config={"model.num_layers": name})
        write_predictions({"validation": ScoredSplit(own, margins(own, 0.8, 0))}, CALIBRATION, run / "predictions.parquet")
        write_evaluation(run, later, 0.8, split="test")
    found = compared(tmp_path / "a", tmp_path / "b")
    assert (found.split, found.fingerprint) == ("test", later.fingerprint)


@pytest.mark.parametrize("recorded", [True, False], ids=["pairs recorded", "older run"])
def test_an_evaluation_on_pairs_that_a_run_has_seen_is_no_test(tmp_path: Path, recorded: bool) -> None:
    """Earlier releases called the whole file of a training test."""
    whole = pair_table(360, seed=1)
    train, validation = whole.select(range(300)), whole.select(range(300, 360))
    for name in "ab":
        run = write_run(tmp_path / name, 0.8, config={"model.num_layers": name})
        scored = ScoredSplit(validation, margins(validation, 0.8, 0))
        write_predictions({"validation": scored}, CALIBRATION, run / "predictions.parquet")
        RunRecord.read(run).update(data={"validation": {"pairs": 60, "fingerprint": validation.fingerprint}})
        write_evaluation(run, whole, 0.99)
        if recorded:
            write_seen_pairs(run, train, validation)
    found = compared(tmp_path / "a", tmp_path / "b")
    assert (found.split, found.fingerprint) == ("validation", validation.fingerprint)
    seen = 360 if recorded else 60
    with pytest.raises(RunError, match=f"no predictions for test(.|\\n)*has seen {seen} of its 360 pairs"):
        compared(tmp_path / "a", tmp_path / "b", split="test")


def test_a_later_evaluation_of_the_runs_own_test_split_counts_whatever_it_repeats_of_train(tmp_path: Path) -> None:
    """As a run that scored it while training would: its record says what the split shares with train."""
    table, validation = pair_table(300, seed=1), pair_table(60, seed=2)
    for name in "ab":
        run = write_run(tmp_path / name, 0.8, config={"model.num_layers": name})
        write_predictions(
            {"validation": ScoredSplit(validation, margins(validation, 0.8, 0))}, CALIBRATION, run / "predictions.parquet"
        )
        splits = {"validation": validation, "test": table}
        data = {of: {"pairs": len(one), "fingerprint": one.fingerprint} for of, one in splits.items()}
        RunRecord.read(run).update(data=data)
        write_seen_pairs(run, table.select([0, 1]), validation)
        write_evaluation(run, table, 0.8)
    assert compared(tmp_path / "a", tmp_path / "b").fingerprint == table.fingerprint


def test_no_evaluation_is_suggested_that_would_be_refused(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        run = write_run(tmp_path / name, 0.8, table=pair_table(300, seed=seed), config={"model.num_layers": name})
        write_seen_pairs(run, pair_table(300, seed=3 - seed), None)
    with pytest.raises(RunError, match="pairs that none of them has seen; .*b has seen some of those of .*a\n.*data.path=FILE"):
        compared(tmp_path / "a", tmp_path / "b")


def test_shared_sentences_are_said(tmp_path: Path) -> None:
    for name, repeated in (("a", 0), ("b", 4)):
        run = write_run(tmp_path / name, 0.8, config={"model.num_layers": name})
        data = RunRecord.read(run).values["data"]
        data["test"]["shared"] = {"train": {"pairs": 12, "repeated": repeated}}
        RunRecord.read(run).update(data=data)
    notes = compared(tmp_path / "a", tmp_path / "b").notes
    leak = "Leak: 12 of these 600 pairs have a sentence that train has too"
    assert f"{leak} ({tmp_path / 'a'})." in notes
    assert f"{leak}; 4 of them are train pairs ({tmp_path / 'b'})." in notes


def test_the_same_pairs_in_another_order_are_joined(tmp_path: Path) -> None:
    ours = pair_table()
    shuffled = ours.select(np.random.default_rng(0).permutation(len(ours)))
    a = write_run(tmp_path / "a", 0.7, table=ours, config={"model.num_layers": 1})
    b = write_run(tmp_path / "b", 0.7, table=shuffled, config={"model.num_layers": 2})
    found = compared(a, b)
    one, other = (read_predictions(run) for run in (a, b))
    placed = in_order_of(one, other)
    assert (placed.ids, placed.sentence2, placed.labels.tolist()) == (one.ids, one.sentence2, one.labels.tolist())
    assert sorted(placed.margins) == sorted(other.margins) and placed.fingerprint == other.fingerprint
    assert f"The pairs of {b} are those of {a} in another order." in found.notes


def test_other_labels_are_named_whatever_the_record_says(tmp_path: Path) -> None:
    ours = pair_table()
    labels = ours.labels.copy()
    labels[:7] = 1 - labels[:7]
    changed = PairTable(ours.ids, ours.sentence1, ours.sentence2, labels)
    a = write_run(tmp_path / "a", 0.7, table=ours, config={"model.num_layers": 1})
    b = write_run(tmp_path / "b", 0.7, table=changed, config={"model.num_layers": 2})
    RunRecord.read(b).update(data={"test": {"pairs": len(ours), "fingerprint": ours.fingerprint}})
    with pytest.raises(RunError, match=rf"the sentences of {b} are those of {a}, but 7 labels differ"):
        compared(a, b)
