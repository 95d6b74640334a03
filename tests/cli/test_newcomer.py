"""One file of messy questions, from `data` to `report`, by a user who types what the screen says."""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commands import TINY, paraphrase, record
from paraphrase_lab.data.clusters import plain_text

pytestmark = pytest.mark.slow
THINGS = ("Python", "a passport", "Łódź", "the iPhone 12", "yoga", "black holes", "SQL joins", "東京", "a used car", "chess")
SAME = [("How do I learn {}?", "What is the best way to learn {}?"), ("Why does {} matter?", "Why is {} important?")]
OTHER = [("Is {} better than {}?", "Is {} worse than {}?"), ("How do I get {} for {}?", "How do I sell {} for {}?")]


def write_questions(path: Path, count: int) -> None:
    """Write a byte order mark, a column without a name, labels 0.0 and 1.0, repetitions, line breaks, quotes and holes."""
    chosen = random.Random(3)
    rows = []
    for number in range(count):
        things = chosen.sample(THINGS, 2)
        first, second = (text.format(*things) for text in chosen.choice(SAME if number % 5 < 2 else OTHER))
        ending = chosen.choice(["", " ", f" (asked {number // 3} times)", ' "please"', "\nThanks"])
        rows.append([number, first.upper() if number % 17 == 0 else first + ending, second, f"{int(number % 5 < 2)}.0", ""])
    rows[40][1], rows[300][3] = "", ""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["id", "question1", "question2", "is_duplicate", ""], *rows, *rows[:5]])


def typed_in(text: str, key: str) -> list[str]:
    """Return the words of the printed line that names the key, as a shell would split them."""
    line = next(line for line in text.splitlines() if f"{key}=" in line)
    return [word for word in shlex.split(line) if re.match(r"data\.\w+=", word)]


def test_from_data_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_questions(Path("questions.csv"), 2_000)
    shutil.copy("questions.csv", "copy.csv")
    words = ["data=pairs", "data.path=questions.csv"]
    for key in ("data.sentence1", "data.on_bad_rows"):
        assert paraphrase("data", *words) == 2
        words += typed_in(capsys.readouterr().err, key)
    assert words[2:] == [
        "data.sentence1=question1", "data.sentence2=question2", "data.label=is_duplicate", "data.on_bad_rows=skip",
    ]  # fmt: skip
    assert paraphrase("data", *words) == 0
    assert re.search(
        r"2,003 pairs were cut .*: \d.* train, \d+ validation, \d+ test; the largest cluster holds", capsys.readouterr().out
    )
    for name, rate in (("a", "1e-3"), ("b", "1e-2")):
        training = ("logger=none", f"hydra.run.dir=runs/{name}", f"optimizer.lr={rate}")
        assert paraphrase("train", *TINY, *words, *training) == 0
        assert paraphrase("evaluate", f"runs/{name}") == 0
        assert paraphrase("evaluate", f"runs/{name}", "data=pairs", "data.path=copy.csv") == 2
    assert "--seen drop" in capsys.readouterr().err
    assert paraphrase("compare", "runs/a", "runs/b", "--resamples", "200") == 0
    said = capsys.readouterr().out
    assert re.search(r"\d+ test pairs", said) and "Leak" not in said
    assert paraphrase("report", "runs", "--output", "report.html") == 0
    assert "val_fitted/accuracy" in (page := Path("report.html").read_text(encoding="utf-8")) and "test/accuracy" in page
    assert_that_test_is_new(Path("runs/a"))


def assert_that_test_is_new(run: Path) -> None:
    rows = pq.read_table(run / "predictions.parquet", columns=["split", "sentence1", "sentence2"]).to_pylist()
    known = {
        split: {text for row in rows if row["split"] == split for text in plain_text((row["sentence1"], row["sentence2"]))}
        for split in ("validation", "test")
    }
    assert known["test"] and not known["test"] & known["validation"]
    (report,) = (json.loads(file.read_text()) for file in run.glob("evaluations/*/metrics.json"))
    assert {name.partition("/")[0] for name in report["metrics"]} == {"test"}
    metrics = record(run)["metrics"]
    assert report["metrics"] == pytest.approx({name: metrics[name] for name in metrics if name.startswith("test/")}, abs=1e-5)
    assert {name.partition("/")[0] for name in metrics} == {"val_fitted", "test", "checklist_dev", "checklist_test"}
