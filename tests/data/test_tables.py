from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from paraphrase_lab.data.pair_table import PairTable, PairTables
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_split, load_tables
from paraphrase_lab.errors import BadRowsError, UserError

HEADER = "id\tsentence1\tsentence2\tlabel"
GOOD = "7\tone\ttwo\t1"


def tsv(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_bytes("\n".join([header, *lines, ""]).encode("utf-8", "surrogateescape"))
    return path


def numbered(count: int, start: int = 0) -> list[str]:
    return [f"{i}\ta {i}\tb {i}\t{i % 2}" for i in range(start, start + count)]


def pairs_of(table: PairTable) -> list[tuple[str, str, int]]:
    return list(zip(table.sentence1, table.sentence2, table.labels.tolist(), strict=True))


def load(path: Path | str, **arguments: Any) -> PairTables:
    return load_tables(Pairs(str(path)), **arguments)


BAD_LINES = [
    ("3\tone\ttwo\t2", "the label is none of 0, 1: '2'"),
    ("3\tone\ttwo\t", "the label is none of 0, 1: ''"),
    ("3\tone\ttwo\t1.5", "the label is none of 0, 1: '1.5'"),
    ("3\tone\ttwo\t" + 100 * "9", "the label is none of 0, 1: '9{77}\\.\\.\\.'"),
    ("3\t\ttwo\t1", "the first sentence is empty or missing: ''"),
    ("3\tone\t \t1", "the second sentence is empty or missing: ' '"),
    ("3\tone\ttwo", r"ragged line: 3 fields, the header has 4: '3\\tone\\ttwo'"),
    ("3\tone\ttwo\t1\t5", r"ragged line: 5 fields, the header has 4: '3\\tone\\ttwo\\t1\\t5'"),
    ("3\tone\udcff\ttwo\t1", r"not UTF-8: '3\\tone\\\\xff\\ttwo\\t1'"),
]


@pytest.mark.parametrize(("line", "problem"), BAD_LINES, ids=[problem[:40] for _, problem in BAD_LINES])
def test_a_bad_row_is_named_by_file_line_and_value(tmp_path: Path, line: str, problem: str) -> None:
    path = tsv(tmp_path / "pairs.tsv", *numbered(20), line, GOOD)
    place = re.escape(f"{path}:22")
    with pytest.raises(BadRowsError, match=rf"^1 row cannot be used:\n  {place}: {problem}\ndata\.on_bad_rows=skip"):
        load(path)
    tables = load(path, on_bad_rows="skip")
    assert sum(map(len, tables.splits.values())) == 21
    assert [(row.file, row.line) for row in tables.bad_rows] == [(str(path), 22)]
    assert len(tables.bad_rows[0].value) <= 80


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"sentence1": None, "sentence2": "b", "label": 1}, "the first sentence is empty or missing: ''"),
        ({"sentence1": "a", "label": 1}, "the second sentence is empty or missing: ''"),
        ({"sentence1": "a", "sentence2": ["b"], "label": 1}, r"the second sentence is not text: \"\['b'\]\""),
        ({"sentence1": "a", "sentence2": "b"}, "the label is none of 0, 1: ''"),
        ({"sentence1": "a", "sentence2": "b", "label": None}, "the label is none of 0, 1: ''"),
        ({"sentence1": "a", "sentence2": "b", "label": -1}, "the label is none of 0, 1: '-1'"),
    ],
    ids=str,
)
def test_bad_rows_of_jsonl(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    path = tmp_path / "pairs.jsonl"
    good = {"sentence1": "a", "sentence2": "b", "label": 0}
    path.write_text("\n".join(map(json.dumps, [good, row])), encoding="utf-8")
    with pytest.raises(BadRowsError, match=rf"pairs\.jsonl:2: {problem}"):
        load(path)


def test_the_first_twenty_bad_rows_of_all_splits_at_once(tmp_path: Path) -> None:
    tsv(tmp_path / "train.tsv", *[f"{i}\ta\tb\tmaybe" for i in range(15)])
    tsv(tmp_path / "test.tsv", *[f"{i}\t\tb\t1" for i in range(15)])
    listed = r"(?s)^30 rows cannot be used:.*train\.tsv:2: .*: 'maybe'.*test\.tsv:6: .*and 10 more"
    with pytest.raises(BadRowsError, match=listed):
        load(tmp_path)


def test_splits_without_a_usable_pair(tmp_path: Path) -> None:
    train, test = tsv(tmp_path / "train.tsv", *numbered(9)), tsv(tmp_path / "test.tsv", "1\ta\tb\t-1")
    tables = load(tmp_path, on_bad_rows="skip")
    assert list(tables.splits) == ["train", "validation"]
    assert tables.notes[0] == ("all 1 labels of test are hidden ('-1'): training leaves it out, `paraphrase predict` scores it")
    assert load(tmp_path).notes == tables.notes, "no row is bad"
    with pytest.raises(UserError, match=r"all 1 labels of test are hidden \('-1'\)\n`paraphrase predict RUN --input FILE"):
        load_split(Pairs(str(tmp_path)), "test", own=True, on_bad_rows="skip", limit=None)
    tsv(test, "1\t\tb\t1")
    assert "test has no usable pairs and is left out" in load(tmp_path, on_bad_rows="skip").notes
    train.unlink()
    with pytest.raises(UserError, match="the data set has no usable pairs"):
        load(test, on_bad_rows="skip")
    tsv(train)
    tsv(test, GOOD)
    with pytest.raises(UserError, match=r"train\.tsv has a header and no rows"):
        load(tmp_path)
    tsv(train, "1\t\tb\t1")
    with pytest.raises(UserError, match="the train split has no usable pairs"):
        load(tmp_path, on_bad_rows="skip")


# Chains of four pairs: 0-1-2-3-4, 5-6-7-8-9, ... share a sentence with their neighbours.
CHAINS = [f"{i}\ts{5 * chain + i}\ts{5 * chain + i + 1}\t{(chain + i) % 2}" for chain in range(50) for i in range(4)]


def test_a_single_file_is_cut_in_three_by_clusters(tmp_path: Path) -> None:
    path = tsv(tmp_path / "pairs.tsv", *CHAINS)
    tables = load(path, validation_fraction=0.2, split_seed=3)
    assert {name: len(table) for name, table in tables.splits.items()} == {"train": 140, "validation": 40, "test": 20}
    sets = [{*table.sentence1, *table.sentence2} for table in tables.splits.values()]
    assert not any(one & other for number, one in enumerate(sets) for other in sets[number + 1 :])
    assert tables.notes == [
        "200 pairs were cut by clusters of shared sentences: 140 train, 40 validation, 20 test; the largest cluster holds 2.0% "
        "(data.validation_fraction=0.2, data.test_fraction=0.1, data.split_seed=3)"
    ]
    assert load(path, validation_fraction=0.2, split_seed=3).fingerprints == tables.fingerprints
    assert load(path, validation_fraction=0.2, split_seed=4).fingerprints != tables.fingerprints


def test_only_validation_is_cut_where_there_is_a_test_split_or_none_is_wanted(tmp_path: Path) -> None:
    path = tsv(tmp_path / "train.tsv", *CHAINS)
    note = "200 pairs were cut by clusters of shared sentences: 160 train, 40 validation; the largest cluster holds 2.0% "
    for tables in (
        load(path, validation_fraction=0.2, test_fraction=0),
        load_tables(Pairs(train=str(path), test=str(tsv(tmp_path / "test.tsv", *numbered(9)))), validation_fraction=0.2),
    ):
        assert (len(tables.splits["train"]), len(tables.splits["validation"])) == (160, 40)
        assert tables.notes[0] == f"{note}(data.validation_fraction=0.2, data.split_seed=0)"
        assert ("there is no test split" in tables.notes[-1]) == ("test" not in tables.splits)
    tsv(tmp_path / "dev.tsv", *numbered(9))
    (tmp_path / "test.tsv").unlink()
    without = load(tmp_path)
    assert list(without.splits) == ["train", "validation"], "a test set may be elsewhere, or secret"
    assert [note.partition(":")[0] for note in without.notes] == ["there is no test split"]


def test_folds_of_a_single_file_leave_test_alone(tmp_path: Path) -> None:
    path = tsv(tmp_path / "pairs.tsv", *CHAINS)
    tables = [load(path, folds=5, fold=fold, split_seed=3) for fold in range(5)]
    plain = load(path, split_seed=3)
    assert {one.splits["test"].fingerprint for one in tables} == {plain.splits["test"].fingerprint}
    validated = [pair for one in tables for pair in pairs_of(one.splits["validation"])]
    whole = {*pairs_of(plain.splits["train"]), *pairs_of(plain.splits["validation"])}
    assert len(validated) == len(whole) == 180 and set(validated) == whole
    for one in tables:
        assert {*pairs_of(one.splits["train"]), *pairs_of(one.splits["validation"])} == whole and one.shared == []
    assert tables[2].notes == [
        "180 pairs are in 5 folds by clusters of shared sentences (36, 36, 36, 36, 36 pairs); fold 2 is validation "
        "(data.split_seed=3)"
    ]
    assert "data.validation_fraction=0.2 cuts nothing" in load(path, folds=5, validation_fraction=0.2).notes[0]


def test_folds_take_a_given_validation_split_back(tmp_path: Path) -> None:
    for start, name in ((0, "train"), (100, "validation"), (200, "test")):
        tsv(tmp_path / f"{name}.tsv", *numbered(20, start))
    tables = load(tmp_path, folds=4, fold=1)
    assert {name: len(table) for name, table in tables.splits.items()} == {"train": 30, "validation": 10, "test": 20}
    assert tables.notes[0] == "data.folds=4 puts train and the given validation split together"
    assert pairs_of(tables.splits["test"]) == pairs_of(load(tmp_path).splits["test"])
    cuts = {"folds": 4, "fold": 1, "own": True, "on_bad_rows": "error", "limit": None}
    name, own = load_split(Pairs(str(tmp_path)), "validation", **cuts)
    assert name == "validation" and own.fingerprints["validation"] == tables.fingerprints["validation"]
    _, own = load_split(Pairs(str(tmp_path)), "test", **cuts)
    assert own.fingerprints["test"] == tables.fingerprints["test"]


def test_a_fraction_that_cuts_nothing_is_named(tmp_path: Path) -> None:
    for start, name in enumerate(("train", "validation", "test")):
        tsv(tmp_path / f"{name}.tsv", *numbered(9, start=100 * start))
    unused = [f"data.{name}_fraction=0.2 cuts nothing: the data come in splits of their own" for name in ("validation", "test")]
    assert load(tmp_path, validation_fraction=0.2, test_fraction=0.2).notes == unused
    assert load(tmp_path, test_fraction=0).notes == []
    (tmp_path / "validation.tsv").unlink()
    tsv(tmp_path / "train.tsv", *CHAINS)
    note, cut = load(tmp_path, validation_fraction=0.2, test_fraction=0.2).notes
    assert note == unused[1] and "160 train, 40 validation" in cut


def test_a_cluster_that_holds_nearly_all_is_named(tmp_path: Path) -> None:
    star = [f"{i}\tthe same\tother {i}\t{i % 2}" for i in range(80)]
    tables = load(tsv(tmp_path / "pairs.tsv", *star, *numbered(20)))
    assert len(tables.splits["train"]) >= 80
    assert tables.notes[1] == (
        "one cluster of shared sentences holds 80.0% of the pairs, so that the other splits hold only the rest: "
        "give files of their own with data.test=FILE data.validation=FILE"
    )


def test_a_leak_is_noted_and_nothing_else(tmp_path: Path) -> None:
    tsv(tmp_path / "train.tsv", *numbered(10))
    tsv(tmp_path / "dev.tsv", *numbered(10, start=100))
    tsv(tmp_path / "test.tsv", *numbered(6, start=200), "1\tb 3\tnew\t0", "2\tnew\ta 4\t1")
    assert load(tmp_path).notes == ["leak: 2 of 8 test pairs (25.0%) have a sentence that train has too"]


def test_a_cut_keeps_sentences_together_whatever_their_capitals_and_spaces(tmp_path: Path) -> None:
    lines = [
        f"{i}\t{'Same  One' if i % 2 else 'same one'} {i // 4}{' ' if i % 3 else ''}\tother {i}\t{i % 2}" for i in range(80)
    ]
    tables = load(tsv(tmp_path / "pairs.tsv", *lines), validation_fraction=0.2, test_fraction=0.2)
    groups = [{" ".join(text.lower().split()) for text in table.sentence1} for table in tables.splits.values()]
    assert [len(group) for group in groups] == [12, 4, 4] and len(set.union(*groups)) == 20
    assert tables.shared == []


def test_shared_sentences_of_any_two_splits(tmp_path: Path) -> None:
    for start, name in enumerate(("train", "validation", "test")):
        tsv(tmp_path / f"{name}.tsv", *numbered(4, start=100 * start))
    repeated, other = "9\tB  102\tA 102\t1\n", "10\ta 0\tnew\t0\n"
    with (tmp_path / "test.tsv").open("a") as file:
        file.write(repeated + other)
    tables = load(tmp_path)
    assert tables.notes == [
        "leak: 1 of 6 test pairs (16.7%) have a sentence that train has too",
        "leak: 1 of 6 test pairs (16.7%) have a sentence that validation has too; 1 of them are validation pairs",
    ]
    assert [tuple(one) for one in tables.shared] == [("train", "test", 1, 0), ("validation", "test", 1, 1)]


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (
            "validation",
            "test",
            r"validation and test are the same 6 pairs \(fingerprint \w{8}\)(.|\n)*give test a file of its own$",
        ),
        (
            "train",
            "validation",
            "are the same 6 pairs(.|\n)*give validation a file of its own, or none: where train",
        ),
        ("train", "test", "all 6 test pairs are train pairs, too"),
        ("test", "train", "all 6 train pairs are test pairs, too"),
    ],
)
def test_a_split_inside_another_is_refused(tmp_path: Path, one: str, other: str, message: str) -> None:
    lines = numbered(6, start=0)
    bigger = numbered(9, start=0)[::-1]
    files = {one: lines if "same" in message else bigger, other: lines}
    files |= {name: numbered(6, start=50) for name in ("train", "validation", "test") if name not in files}
    for name, rows in files.items():
        tsv(tmp_path / f"{name}.tsv", *rows)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_limits(tmp_path: Path) -> None:
    for start, name in enumerate(("train", "validation", "test")):
        tsv(tmp_path / f"{name}.tsv", *numbered(30, start=100 * start))
    whole, limited = load(tmp_path), load(tmp_path, train_limit=10, evaluation_limit=4)
    assert [len(table) for table in limited.splits.values()] == [10, 4, 4]
    drawn, train = limited.splits["train"].ids, whole.splits["train"].ids
    assert set(drawn) < set(train) and drawn != train[:10]
    assert limited.splits["test"].ids == whole.splits["test"].ids[:4]
    assert load(tmp_path, train_limit=10, split_seed=1).splits["train"].ids != drawn


def rows_of(split: str) -> list[dict[str, Any]]:
    return [
        {"id": str(i), "sentence1": f"a {split}{i}, é", "sentence2": f'"b" {split}{i}', "label": str(i % 2)} for i in range(12)
    ]


ROWS = rows_of("")


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    quoted = [['"' + str(value).replace('"', '""') + '"' for value in row.values()] for row in rows]
    text = {
        ".csv": "\n".join([",".join(rows[0]), *(",".join(row) for row in quoted)]),
        ".tsv": "\n".join(["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]),
        ".jsonl": "\n".join(map(json.dumps, rows)),
    }
    if path.suffix in text:
        path.write_text(text[path.suffix], encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        table = pa.Table.from_pylist(rows)
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "arrow"])
def test_the_same_pairs_from_every_format(tmp_path: Path, ending: str) -> None:
    def pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
        return [(row["sentence1"], row["sentence2"], int(row["label"])) for row in rows]

    splits = ("train", "validation", "test")
    directory = tmp_path / "whole"
    directory.mkdir()
    for split in splits:
        write(directory / f"{split}.{ending}", rows_of(split))
    whole = load(directory)
    assert [pairs_of(table) for table in whole.splits.values()] == [pairs(rows_of(split)) for split in splits]
    assert whole.splits["test"].ids == [row["id"] for row in ROWS]
    files = load_tables(Pairs(train=str(directory / f"train.{ending}"), test=str(directory / f"test.{ending}")))
    assert list(files.splits) == ["train", "validation", "test"] and len(files.splits["train"]) < 12
    single = load(write(tmp_path / f"any.{ending}"))
    assert list(single.splits) == ["train", "validation", "test"]
    assert sorted(sum((pairs_of(table) for table in single.splits.values()), [])) == sorted(pairs(ROWS))
    count = Pairs(str(directory)).count
    assert [count("train"), count("test")] == ([None, None] if ending == "arrow" else [12, 12])
    assert Pairs(str(tmp_path / f"any.{ending}")).count("validation") is None


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (None, [1, 0]),
        (None, [True, False]),
        ({"True": 1, "False": 0}, [True, False]),
        ({"true": 1, "false": 0}, [True, False]),
        ({True: 1, False: 0}, [True, False]),
        ({"1": 0, "0": 1}, [False, True]),
        ({"yes": 1, "no": 0, "not at all": 0}, ["yes", "not at all"]),
        ({5: 1, 4: 1, 1: 0}, [4, 1]),
    ],
    ids=str,
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_column_names_and_the_meaning_of_labels(tmp_path: Path, ending: str, labels: dict | None, values: list[Any]) -> None:
    rows = [{"q": f"a {i}", "r": f"b {i}", "same": values[i % 2]} for i in range(4)]
    path = write(tmp_path / f"pairs.{ending}", rows)
    source = Pairs(test=str(path), sentence1="q", sentence2="r", label="same", labels=labels)
    table = load_tables(source).splits["test"]
    assert pairs_of(table) == [("a 0", "b 0", 1), ("a 1", "b 1", 0), ("a 2", "b 2", 1), ("a 3", "b 3", 0)]
    assert table.ids == ["1", "2", "3", "4"]


def test_a_sentence_of_blanks_without_width_is_empty(tmp_path: Path) -> None:
    with pytest.raises(BadRowsError, match="the second sentence is empty or missing"):
        load(tsv(tmp_path / "pairs.tsv", *numbered(9), "9\tsome words\t\u200b \u2060\t1"))


def test_fractions_that_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"validation_fraction=0\.5 and data\.test_fraction=0\.5 leave nothing to train on"):
        load(tsv(tmp_path / "pairs.tsv", *numbered(40)), validation_fraction=0.5, test_fraction=0.5)


@pytest.mark.parametrize("others", [("2", "2"), ("0.5", "2.0", "4")])
def test_other_classes_are_not_skipped_as_bad_rows(tmp_path: Path, others: tuple[str, ...]) -> None:
    """Where 2 is a class of NLI, 0 is entailment, and what is left would be trained the wrong way round."""
    rows = [f"{n}\tsome {n}\tother {n}\t{label}" for n, label in enumerate(others, start=1000)]
    with pytest.raises(BadRowsError, match="labels found: ") as found:
        load(tsv(tmp_path / "pairs.tsv", *numbered(90), *rows), on_bad_rows="skip")
    assert "on_bad_rows=skip" not in str(found.value)
    assert "entailment" in str(found.value) or "They look like scores" in str(found.value)
    assert len(load(tsv(tmp_path / "one.tsv", *numbered(90), rows[0]), on_bad_rows="skip").bad_rows) == 1, "a slip"
