"""A cross-validation: a sweep over folds, its table, and what is refused before it starts."""

from __future__ import annotations

import csv
import json
import re
import statistics
from pathlib import Path

import pytest

from commands import TINY, paraphrase
from generated_pairs import generate


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        rows = generate(train_pairs=300, validation_pairs=100, test_pairs=100)["train"]
        table = [(row.sentence1, row.sentence2, row.label) for row in rows]
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *table])
    return tmp_path / "pairs.csv"


@pytest.mark.slow
def test_a_cross_validation(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("data=pairs", f"data.path={pairs}", "data.folds=3", f"hydra.sweep.dir={tmp_path / 'cv'}", "logger=none")
    assert paraphrase("train", "-m", *TINY, *words, "data.fold=range(3)") == 0
    shown = " ".join(capsys.readouterr().out.split())
    records = [json.loads((tmp_path / "cv" / str(fold) / "run.json").read_text()) for fold in range(3)]
    best = [record["best"]["value"] for record in records]
    said = re.search(r"val/accuracy ([\d.]+) ± ([\d.]+) \(mean and sd over 3 folds\)", shown)
    assert said is not None, shown
    assert float(said[1]) == pytest.approx(statistics.fmean(best), abs=1e-4)
    assert float(said[2]) == pytest.approx(statistics.stdev(best), abs=1e-4)
    assert len({record["data"]["validation"]["fingerprint"] for record in records}) == 3
    assert len({record["data"]["test"]["fingerprint"] for record in records}) == 1
    assert paraphrase("evaluate", str(tmp_path / "cv" / "1"), "--split", "validation") == 0
    assert "has changed since" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("data.folds=5", "data.fold=5"),
            "data.fold=5 is none of data.folds=5, which count from 0: -m 'data.fold=range(5)' trains",
        ),
        (("data.fold=2",), "data.fold=2 is one of several folds: say of how many, as in data.folds=5."),
        (("data.folds=1",), "data.folds=1 must be a whole number from 2 to 1000, or null."),
    ],
)
def test_folds_that_are_refused(words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("check", *words) == 2
    assert text in capsys.readouterr().err
