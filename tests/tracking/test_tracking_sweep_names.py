"""A sweep's runs elsewhere: their names say what varies, their tags what all of them have."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from commands import TINY, paraphrase
from paraphrase_lab.lifecycle import start
from paraphrase_lab.tracking.hooks import RunInfo
from paraphrase_lab.tracking.identity import Identity, shortened

QUICK = ("trainer.max_steps=1", "evaluate_test=never", "keep_model=never", "~compute")


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[Identity]:
    found: list[Identity] = []

    def begin(loggers: Any, about: RunInfo) -> dict[str, Any]:
        found.append(about.identity)
        return {}

    monkeypatch.setattr(start.hooks, "begin", begin)
    return found


def write_pairs(file: Path, words: str = "text_a text_b is_same") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(words.split())
        for number in range(120):
            rows.writerow([f"Who wrote book {number}?", f"Book {number} is by whom{'?' * (number % 3)}", number % 2])
    return file


OWN_COLUMNS = ("data.sentence1=text_a", "data.sentence2=text_b", "data.label=is_same")


@pytest.mark.slow
def test_own_data_over_seeds_and_rates(named: list[Identity], tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "anna" / "pairs.csv")
    code = paraphrase(
        "train", "-m", *TINY, *QUICK, "data=pairs", f"data.path={file}", *OWN_COLUMNS, f"hydra.sweep.dir={tmp_path}/s",
        "seed=1,2", "model.learning_rate=1e-3,2e-3",
    )  # fmt: skip
    assert code == 0
    names = [f"seed={seed} learning_rate={rate}" for seed in (1, 2) for rate in ("0.001", "0.002")]
    assert [who.name for who in named] == names
    assert [who.id.rpartition("-")[0] for who in named] == [name.replace("=", "-").replace(" ", "-") for name in names]
    assert len({who.id for who in named}) == 4 and {who.group for who in named} == {"s"}
    (tags,) = {who.tags for who in named}
    assert tags[:2] == ("pairs", "tiny") and {"sentence1=text_a", "label=is_same", "hidden_size=16"} <= set(tags)
    assert "path=pairs.csv" not in tags and not [word for word in tags if "anna" in word or "seed" in word or "rate" in word]


def test_files_that_vary_are_told_by_their_names(named: list[Identity], tmp_path: Path) -> None:
    files = [write_pairs(tmp_path / "anna" / name) for name in ("easy.csv", "hard.csv")]
    words = [*OWN_COLUMNS, "data=pairs", f"data.path={files[0]},{files[1]}", f"hydra.sweep.dir={tmp_path}/s"]
    assert paraphrase("train", "-m", *TINY, *QUICK, *words) == 0
    assert [who.name for who in named] == ["path=easy.csv", "path=hard.csv"]


def test_long_words_keep_both_ends() -> None:
    assert shortened("name=organisation/model", 60) == "name=organisation/model"
    assert shortened("labels={entailment:1,neutral:0,contradiction:0}", 20) == "labels={entai…ion:0}"
