"""The model of `make demo` makes sense: on generated pairs, and on sentences as a newcomer would type them."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from commands import paraphrase, record
from paraphrase_lab.word_order.nouns import NAMES

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).parents[1] / "fixtures"
FLIGHT = "I took a flight from New York to Paris"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of docs/first_run.md, which two threads trained: three to five minutes.

    Other numbers of threads round differently, and of 20 pairs a model then answers one more or one less right.
    """
    run = tmp_path_factory.mktemp("demo") / "run"
    assert (
        paraphrase("train", "experiment=word_order_tiny", "logger=none", "trainer.cpu_threads=2", f"hydra.run.dir={run}") == 0
    )
    return run


def predicted(run: Path, pairs: list[tuple[str, str]], directory: Path) -> Any:
    with (directory / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2"), *pairs])
    output = directory / "scored.csv"
    assert paraphrase("predict", str(run), "--input", str(directory / "pairs.csv"), "--output", str(output)) == 0
    return pd.read_csv(output)


def test_on_generated_pairs(demo: Path) -> None:
    metrics = record(demo)["metrics"]
    assert metrics["test/identical_positive_rate"] >= 0.98 and metrics["test/random_positive_rate"] <= 0.05
    table: Any = pd.read_parquet(demo / "predictions.parquet")
    test = table[table["split"] == "test"]
    right = test["prediction"] == test["label"]
    by_kind = right.groupby(test["id"].str.split("-").str[1]).mean()
    assert by_kind["order"] >= 0.97 and by_kind.min() >= 0.9, by_kind


def test_one_name_replaced_is_another_meaning(demo: Path, tmp_path: Path) -> None:
    table: Any = pd.read_parquet(demo / "predictions.parquet")
    names, rng = {str(name) for name in NAMES}, random.Random(0)
    pairs = []
    for sentence in sorted(set(table[table["split"] == "test"]["sentence1"])):
        words = sentence.split()
        there = [place for place, word in enumerate(words) if word in names]
        if there:
            place = rng.choice(there)
            other = rng.choice(sorted(names - set(words)))
            pairs.append((sentence, " ".join([*words[:place], other, *words[place + 1 :]])))
    assert len(pairs) > 500
    assert predicted(demo, pairs, tmp_path)["prediction"].mean() <= 0.15


def test_the_flight(demo: Path, tmp_path: Path) -> None:
    seconds = [
        "I took a flight from Paris to New York",
        "From New York I took a flight to Paris",
        "I flew from New York to Paris",
    ]
    assert predicted(demo, [(FLIGHT, second) for second in seconds], tmp_path)["prediction"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", ["plain_pairs", "plain_pairs_unseen"])
def test_on_plain_pairs(demo: Path, tmp_path: Path, name: str) -> None:
    """Right on four of five that it does not mark as beyond it, and at most half are marked."""
    asked: Any = pd.read_csv(FIXTURES / f"{name}.csv")
    found = predicted(demo, list(zip(asked["sentence1"], asked["sentence2"], strict=True)), tmp_path)
    known = found["beyond_training"].isna()
    assert known.sum() >= 20
    assert (found["prediction"] == asked["label"])[known].mean() >= 0.8
