from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paraphrase_lab.data.mixture import Mixture, Source
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_split, load_tables
from paraphrase_lab.errors import BadRowsError, UserError

READING: dict[str, Any] = {
    "on_bad_rows": "error", "validation_fraction": 0.1, "test_fraction": 0.1, "split_seed": 0, "train_limit": None,
    "evaluation_limit": None,
}  # fmt: skip


def folder(path: Path, **splits: list[tuple[str, str, int]]) -> Path:
    path.mkdir()
    for split, rows in splits.items():
        lines = ["sentence1\tsentence2\tlabel", *(f"{first}\t{second}\t{label}" for first, second, label in rows)]
        (path / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(prefix: str, count: int) -> list[tuple[str, str, int]]:
    return [(f"{prefix} {i} one", f"{prefix} {i} two", i % 2) for i in range(count)]


def source(path: Path, **reading: Any) -> Source:
    return Source(Pairs(str(path)), READING | reading)


def two(tmp_path: Path, **first: list[tuple[str, str, int]]) -> dict[str, Source]:
    given = {split: first.get(split, rows(f"a{split}", 10)) for split in ("train", "validation", "test")}
    return {
        "a": source(folder(tmp_path / "a", **given)),
        "b": source(folder(tmp_path / "b", train=rows("btrain", 8), validation=rows("bval", 4), test=rows("btest", 6))),
    }


def texts(table: PairTable, group: str) -> list[str]:
    return [text for text, name in zip(table.sentence1, table.groups or [], strict=True) if name == group]


def test_each_source_keeps_its_splits_and_names_its_pairs(tmp_path: Path) -> None:
    tables = load_tables(Mixture(two(tmp_path)))
    assert {name: len(table) for name, table in tables.splits.items()} == {"train": 18, "validation": 14, "test": 16}
    groups = tables.splits["test"].groups or []
    assert groups[:3] == ["a", "b", "a"] and sorted(map(str, groups)) == ["a"] * 10 + ["b"] * 6, "a limit keeps pairs of both"
    assert [id for id in tables.splits["test"].ids if id.startswith("a")] == [f"a-{line}" for line in range(2, 12)]
    assert [id for id in tables.splits["test"].ids if id.startswith("b")] == [f"b-{line}" for line in range(2, 8)]
    assert tables.notes[0] == "an epoch has 10 of a, 8 of b"


def test_a_weight_is_how_often_a_pair_comes_in_an_epoch(tmp_path: Path) -> None:
    mixture = Mixture(two(tmp_path), {"a": 2.5, "b": 0.5})
    tables = load_tables(mixture)
    train = tables.splits["train"]
    counts = np.unique(texts(train, "a"), return_counts=True)[1]
    assert sorted(counts.tolist()) == [2] * 5 + [3] * 5
    assert len(set(texts(train, "b"))) == 4 == len(texts(train, "b"))
    assert tables.notes[0] == "an epoch has 25 of a (x 2.5), 4 of b (x 0.5)"
    assert mixture.count("train") == 29 and mixture.count("test") == 16
    assert load_tables(Mixture(two_again(tmp_path), {"a": 2.5, "b": 0.5})).splits["train"].fingerprint == train.fingerprint


def test_half_of_the_pairs_are_whole_clusters(tmp_path: Path) -> None:
    """A sentence with a paraphrase and with another one: alone, they teach little."""
    contrasts = [(f"number {i // 2}", f"one {i}", i % 2) for i in range(40)]
    tables = load_tables(Mixture(two(tmp_path, train=contrasts), {"a": 0.3}))
    first, times = np.unique([t for t in texts(tables.splits["train"], "a")], return_counts=True)
    assert len(first) == 6 and set(times.tolist()) == {2}
    one_cluster = [("the same", f"one {i}", i % 2) for i in range(40)]
    connected = source(folder(tmp_path / "c", train=one_cluster, validation=rows("v", 4), test=rows("t", 4)))
    joined = load_tables(Mixture({"a": connected, "b": source(tmp_path / "b")}, {"a": 0.3}))
    assert len(texts(joined.splits["train"], "a")) == 12


def test_a_source_of_weight_0_is_held_out_alone(tmp_path: Path) -> None:
    mixture = Mixture(two(tmp_path), {"b": 0})
    tables = load_tables(mixture)
    assert set(tables.splits["train"].groups or []) == {"a"} and mixture.count("train") == len(tables.splits["train"]) == 10
    assert sorted(map(str, tables.splits["test"].groups or [])) == ["a"] * 10 + ["b"] * 6
    assert tables.notes[0] == "an epoch has 10 of a, 0 of b (x 0)"


def two_again(tmp_path: Path) -> dict[str, Source]:
    return {name: source(tmp_path / name) for name in ("a", "b")}


def test_what_another_source_tests_on_is_not_trained_on(tmp_path: Path) -> None:
    leaking = [*rows("atrain", 8), ("BTEST 3  one", "something else", 0), ("x", "bval 2 two", 1)]
    held_out = [*rows("aval", 5), ("y", "btest 0 two", 0)]
    tables = load_tables(Mixture(two(tmp_path, train=leaking, validation=held_out)))
    assert texts(tables.splits["train"], "a") == [f"atrain {i} one" for i in range(8)]
    assert texts(tables.splits["validation"], "a") == [f"aval {i} one" for i in range(5)]
    assert len(tables.splits["test"]) == 16
    assert [note for note in tables.notes if "left out" in note] == [
        "1 of 10 train pairs of a are left out, since test of b has one of their sentences",
        "1 of 9 train pairs of a are left out, since validation of b has one of their sentences",
        "1 of 6 validation pairs of a are left out, since test of b has one of their sentences",
    ]


def test_a_source_of_which_nothing_would_be_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="^every train pair of a has a sentence that test of b has, too$"):
        load_tables(Mixture(two(tmp_path, train=[("btest 1 one", "z", 0), ("btest 2 one", "z", 1)])))


def test_a_missing_validation_split_is_cut_off_its_own_source(tmp_path: Path) -> None:
    sources = two(tmp_path) | {"c": source(folder(tmp_path / "c", train=rows("c", 40)), validation_fraction=0.25)}
    tables = load_tables(Mixture(sources))
    assert len(texts(tables.splits["validation"], "c")) == 10
    assert any(note.startswith("c: 40 pairs were cut by clusters of shared sentences") for note in tables.notes)


def test_one_source_may_have_one_label_and_all_of_them_not(tmp_path: Path) -> None:
    paraphrases = [(first, second, 1) for first, second, _ in rows("atrain", 10)]
    sources = two(tmp_path, train=paraphrases)
    assert load_tables(Mixture(sources)).splits["train"].labels.sum() == 14
    with pytest.raises(UserError, match=r"^all 10 pairs of train have the label 1 \(paraphrase\): there is nothing"):
        load_tables(Mixture(sources, {"b": 0.0}))


def test_an_evaluation_reads_one_split(tmp_path: Path) -> None:
    options: dict[str, Any] = {"own": True, "on_bad_rows": "error", "limit": None}
    name, tables = load_split(Mixture(two(tmp_path)), None, **options)
    assert (name, list(tables.splits), len(tables.splits["test"])) == ("test", ["test"], 16)
    with pytest.raises(UserError, match="the data set has no dev split\nsplits: train, validation, test"):
        load_split(Mixture(two_again(tmp_path)), "dev", **options)


def test_errors_name_the_source_and_its_keys(tmp_path: Path) -> None:
    bad = two(tmp_path, train=[*rows("a", 20), ("one", "two", 7)])
    with pytest.raises(BadRowsError, match=r"(?s)^a: 1 row cannot be used.*data\.sources\.a\.on_bad_rows=skip"):
        load_tables(Mixture(bad))
    skipped = bad | {"a": source(tmp_path / "a", on_bad_rows="skip")}
    assert [bad_row.line for bad_row in load_tables(Mixture(skipped)).bad_rows] == [22]
    missing = bad | {"a": Source(Pairs(str(tmp_path / "none.csv")), READING)}
    with pytest.raises(UserError, match=r"^a: there is no file .*none\.csv"):
        Mixture(missing).require_columns()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": -1.0}, "data.weights.a=-1\n0 or more: how often a pair comes in an epoch"),
        ({"a": 0.0, "b": 0.0}, "data.weights are 0 for all sources: nothing is left to train on\none above 0 or more"),
        ({"c": 1.0}, "data.weights.c: there is no such source\nsources: a, b"),
    ],
)
def test_weights_that_cannot_be(tmp_path: Path, weights: dict[str, float], message: str) -> None:
    with pytest.raises(UserError) as raised:
        Mixture(two(tmp_path), weights)
    assert str(raised.value) == message


def test_one_source_is_no_mixture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="^a mixture needs two sources or more, and data.sources has only a$"):
        Mixture({"a": two(tmp_path)["a"]})
