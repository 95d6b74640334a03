"""predict marks the pairs that go beyond the training, on the screen and in files, and says it in one line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commands import FEW_PAIRS, TINY, paraphrase
from paraphrase_lab.data.known_input import FILE_NAME, KnownInput

BEYOND = ("the quaggas", "the zorillas")
LINE = "1 of 2 pairs goes beyond the training, and its answer is a guess: 1 with words that it never had (quaggas, zorillas)\n"


def test_on_the_screen(tiny_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert paraphrase("predict", str(tiny_run), *BEYOND, "quaggas", "quaggas") == 0
    shown = capsys.readouterr().out
    assert "beyond_training" in shown and "new words: quaggas" in shown
    assert "2 of 2 pairs go beyond the training, and their answers are guesses: 2 with words that it never had" in shown


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_in_files(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    known = KnownInput.read(tiny_run / "model")
    rows = pq.read_table(tiny_run / "predictions.parquet").to_pylist()
    fine = next(row for row in rows if known and not known.new_words((row["sentence1"], row["sentence2"])))
    source, output = tmp_path / "in.csv", tmp_path / f"out.{ending}"
    with source.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2"), BEYOND, (fine["sentence1"], fine["sentence2"])])
    assert paraphrase("predict", str(tiny_run), "--input", str(source), "--output", str(output)) == 0
    if ending == "parquet":
        texts = pq.read_table(output).column("beyond_training").to_pylist()
    elif ending == "jsonl":
        texts = [json.loads(line)["beyond_training"] for line in output.read_text().splitlines()]
    else:
        texts = [row["beyond_training"] for row in csv.DictReader(output.read_text().splitlines())]
    assert texts == ["new words: quaggas, zorillas", ""]
    assert LINE in capsys.readouterr().out


def test_an_evaluation_counts_them(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.csv"
    file.write_text("sentence1,sentence2,label\n" + ",".join(BEYOND) + ",0\nthe zorillas,the zorillas,1\n", encoding="utf-8")
    assert paraphrase("evaluate", str(tiny_run), "data=pairs", f"data.path={file}", "--output", str(tmp_path / "out")) == 0
    shown = capsys.readouterr().out
    assert (
        "2 of 2 pairs go beyond the training, and their answers are guesses: 2 with words that it never had (zorillas, q"
        in shown
    )
    assert "unrelated pairs are called" not in shown  # two pairs say nothing


def test_a_run_without_the_record_says_so_once(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = shutil.copytree(tiny_run, tmp_path / "old")
    (old / "model" / FILE_NAME).unlink()
    assert paraphrase("predict", str(old), *BEYOND) == 0
    shown = capsys.readouterr().out
    assert "beyond_training" not in shown and "go beyond" not in shown
    assert shown.count("does not say which words, scripts and lengths it was trained on: pairs beyond them are not marked") == 1


def test_a_training_that_starts_from_a_run_knows_its_words(tiny_run: Path, tmp_path: Path) -> None:
    start = ("model=pretrained", f"model.name={tiny_run}", "model.batch_size=25")
    few = [word for word in FEW_PAIRS if not word.startswith("data.seed")]
    kept = [word for word in TINY if not word.startswith("model")]
    run = tmp_path / "second"
    assert paraphrase("train", *kept, *few, *start, "data.seed=5", "data.train_pairs=100", f"hydra.run.dir={run}") == 0
    first, second = (KnownInput.read(one / "model") for one in (tiny_run, run))
    assert first is not None and second is not None and first.word_hashes is not None and second.word_hashes is not None
    assert set(first.word_hashes.tolist()) <= set(second.word_hashes.tolist())
