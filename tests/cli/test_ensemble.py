"""Several runs as an ensemble: predict averages their probabilities, evaluate does it with the predictions that are written."""

from __future__ import annotations

import csv
import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import paraphrase
from paraphrase_lab.data.beyond_training import any_beyond
from paraphrase_lab.data.known_input import FILE_NAME, KnownInput
from paraphrase_lab.lifecycle.trained import load_run
from paraphrase_lab.metrics.binary import binary_metrics
from paraphrase_lab.predict import EnsembleScorer, RunScorer


def with_bias(run: Path, place: Path, change: float) -> Path:
    """Copy a run whose model leans another way: another weight of its last layer, another calibration on record."""
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(run, place)
    weights = load_file(copy / "model" / "model.safetensors")
    bias = weights["classifier.bias"]
    weights["classifier.bias"] = bias + bias.new_tensor([0.0, change])
    save_file(weights, copy / "model" / "model.safetensors", metadata={"format": "pt"})
    record = json.loads((copy / "run.json").read_text())
    record["calibration"]["bias"] += change
    (copy / "run.json").write_text(json.dumps(record))
    return copy


@pytest.fixture(scope="module")
def runs(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("ensemble")
    return [str(tiny_run), *(str(with_bias(tiny_run, directory / str(n), n)) for n in (1.0, -2.5))]


@pytest.fixture
def pairs(tiny_run: Path, tmp_path: Path) -> Path:
    rows = pq.read_table(tiny_run / "predictions.parquet").to_pylist()[:30]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2"), *((row["sentence1"], row["sentence2"]) for row in rows)])
    return tmp_path / "in.csv"


def scores(runs: list[str], source: Path, output: Path) -> list[float]:
    assert paraphrase("predict", *runs, "--input", str(source), "--output", str(output), "--chunk-rows", "8") == 0
    table = pq.read_table(output)
    assert table.column_names == ["sentence1", "sentence2", "probability", "prediction", "beyond_training"]
    assert table.column("prediction").to_pylist() == [int(p >= 0.5) for p in table.column("probability").to_pylist()]
    return table.column("probability").to_pylist()


def test_predict_averages_probabilities(
    runs: list[str], pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [scores([run], pairs, tmp_path / f"{n}.parquet") for n, run in enumerate(runs)]
    assert np.ptp(alone, axis=0).min() > 0.1  # their models differ
    together = scores(runs, pairs, tmp_path / "all.parquet")
    assert together == pytest.approx(np.mean(alone, axis=0), abs=1e-12)
    monkeypatch.setattr("paraphrase_lab.predict.free_memory", lambda: 1)
    assert scores(runs, pairs, tmp_path / "one_by_one.parquet") == together
    first = next(csv.DictReader(pairs.read_text().splitlines()))
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "200")
    for words in ([first["sentence1"], first["sentence2"]], ["--pairs", first["sentence1"], first["sentence2"]]):
        assert paraphrase("predict", *runs, *words) == 0
        assert f"{together[0]:.4f}" in capsys.readouterr().out


def test_one_model_at_a_time_or_all(runs: list[str]) -> None:
    for keep, wanted, held in ((True, 3, 3), (False, 9, 1)):
        loaded: list[str] = []
        models = weakref.WeakSet[Any]()

        def load(run: str, loaded: list[str] = loaded, models: weakref.WeakSet[Any] = models, held: int = held) -> RunScorer:
            loaded.append(run)
            gc.collect()
            scorer = RunScorer(Path(run), load_run(Path(run))[1])
            models.add(scorer.model.encoder)
            assert len(models) <= held, "the one before is gone"
            return scorer

        shown: list[int] = []
        scorer = EnsembleScorer([lambda run=run: load(run) for run in runs], keep_models=keep)
        scorer.advance = shown.append
        for _ in range(2):
            scorer.score([("a b", "b a"), ("c", "d")])
        assert len(loaded) == wanted and sum(shown) == 4


def test_an_interrupted_file_continues_with_the_same_runs_only(
    runs: list[str], pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = scores(runs, pairs, tmp_path / "whole.parquet")
    rows = pairs.read_text().splitlines()
    pairs.write_text("\n".join([*rows[:20], ",", *rows[20:]]) + "\n")
    words = ("--input", str(pairs), "--output", str(tmp_path / "out.parquet"), "--chunk-rows", "8")
    assert paraphrase("predict", *runs, *words) == 2  # two chunks are kept
    assert paraphrase("predict", *runs[:2], *words, "--on-bad-rows", "skip") == 2
    assert "fingerprint of the model: was" in capsys.readouterr().err
    assert paraphrase("predict", *runs, *words, "--on-bad-rows", "skip") == 0
    assert "16 of them had been scored before" in capsys.readouterr().out
    found = pq.read_table(tmp_path / "out.parquet").column("probability").to_pylist()
    assert [one for one in found if one is not None] == pytest.approx(wanted, abs=1e-6)  # other batches


def test_what_any_training_never_had_is_marked(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = KnownInput.read(Path(runs[0]) / "model")
    assert known is not None and known.word_hashes is not None
    other = shutil.copytree(runs[1], tmp_path / "other")
    known.__class__(known.longest_pair, known.scripts, known.word_hashes[:0]).write(other / "model")
    old = shutil.copytree(runs[2], tmp_path / "old")
    (old / "model" / FILE_NAME).unlink()
    word = pq.read_table(Path(runs[0]) / "predictions.parquet").column("sentence1")[0].as_py().split()[0]
    assert paraphrase("predict", runs[0], str(other), str(old), "--pairs", word, word) == 0
    shown = capsys.readouterr().out
    assert f"1 with words that it never had ({word.lower()})" in " ".join(shown.split())
    assert f"{old} does not say which words" in " ".join(shown.split()) and str(other) not in shown


def test_of_each_kind_the_text_that_says_most() -> None:
    assert any_beyond(["new words: a; longer: 9 tokens", "", "new words: a, b"]) == "new words: a, b; longer: 9 tokens"
    assert any_beyond(["", ""]) == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("{other}", "{gone}", "a", "b", "c"), "{gone} is not a run: it has no run.json"),
        (("{gone}", "--pairs", "a", "b"), "{gone} is not a run: it has no run.json"),
        (("{gone}", "--input", "in.csv", "--output", "out.csv"), "{gone} is not a run: it has no run.json"),
        (("mistyped", "a", "b"), "give an even number of sentences: got 3"),
        (("{other}", "--pairs", "a"), "several runs: paraphrase predict RUN RUN --pairs"),
        (("{other}", "{other}", "a", "b"), "{other} is named twice"),
        (("{other}",), "nothing to score"),
    ],
)
def test_runs_that_are_not_there(
    words: tuple[str, ...], text: str, runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"other": runs[1], "gone": tmp_path / "gone"}
    assert paraphrase("predict", runs[0], *(word.format(**named) for word in words)) == 2
    assert text.format(**named) in capsys.readouterr().err


def test_sentences_with_a_stroke_are_sentences(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("predict", runs[0], "and/or", "either/or") == 0
    assert "and/or" in capsys.readouterr().out


def test_evaluate_reads_what_the_runs_have_written(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shuffled = shutil.copytree(runs[1], tmp_path / "shuffled")
    table = pq.read_table(shuffled / "predictions.parquet")
    pq.write_table(table.take(pa.array(np.random.default_rng(0).permutation(len(table)))), shuffled / "predictions.parquet")
    assert paraphrase("evaluate", runs[0], str(shuffled), runs[2], "--output", str(tmp_path / "out")) == 0
    report = json.loads((tmp_path / "out" / "ensemble.json").read_text())
    rows = [row for row in table.to_pylist() if row["split"] == "test"]
    margins, labels = (np.array([row[name] for row in rows]) for name in ("margin", "label"))
    calibrations = [json.loads((Path(run) / "run.json").read_text())["calibration"] for run in runs]
    mean = np.mean([1 / (1 + np.exp(-margins / one["temperature"] - one["bias"])) for one in calibrations], axis=0)
    assert report["ensemble"] == pytest.approx(binary_metrics(labels, mean, 0.5))
    assert len(report["runs"]) == 3 and report["pairs"] == len(rows)
    assert "the mean of the probabilities of 3 runs, on 100 pairs" in capsys.readouterr().out


def test_an_evaluation_of_other_pairs_is_refused(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = shutil.copytree(runs[1], tmp_path / "other")
    table = pq.read_table(other / "predictions.parquet")
    first = table.column("split").to_pylist().index("test") + 1
    pq.write_table(pa.concat_tables([table.slice(0, first - 1), table.slice(first)]), other / "predictions.parquet")
    assert paraphrase("evaluate", runs[0], str(other)) == 2
    assert "have scored other test pairs" in capsys.readouterr().err
    assert paraphrase("evaluate", runs[0], runs[1], "--also", "data=checklist") == 2
    assert "an ensemble is evaluated on one data set at a time" in capsys.readouterr().err
    assert paraphrase("evaluate", runs[0], runs[1], "no_run") == 2
    assert "no_run is not a run" in capsys.readouterr().err


def test_other_data_are_scored_by_each_run_first(
    runs: list[str], tmp_path: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = [str(shutil.copytree(run, tmp_path / str(number))) for number, run in enumerate(runs)]
    rows = pq.read_table(Path(runs[0]) / "predictions.parquet").to_pylist()
    labelled = [row for row in rows if row["split"] == "test"][:30]
    with (tmp_path / "labelled.csv").open("w", newline="") as file:
        lines = [(row["sentence2"], row["sentence1"], 1 - row["label"]) for row in labelled]
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *lines])
    words = ("data=pairs", f"data.path={tmp_path / 'labelled.csv'}", "--output", str(tmp_path / "out"))
    assert paraphrase("evaluate", *copies, *words) == 0
    assert "the mean of the probabilities of 3 runs, on 30 pairs" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "ensemble.json").read_text())
    assert len(list((tmp_path / "out").glob("[012]/test-*/predictions.parquet"))) == 3
    swapped = scores(copies, write_texts(tmp_path / "texts.csv", lines), tmp_path / "scores.parquet")
    labels = np.array([label for _, _, label in lines])
    assert report["ensemble"] == pytest.approx(binary_metrics(labels, np.array(swapped), 0.5))


def write_texts(path: Path, lines: list[tuple[str, str, int]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2"), *(line[:2] for line in lines)])
    return path
