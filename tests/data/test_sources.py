"""Sources look for their splits in these places, and name what is missing."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paraphrase_lab.data.sources import Pairs, Paws, WordOrder
from paraphrase_lab.data.tables import load_split, load_tables
from paraphrase_lab.errors import UserError

HEADER = "id\tsentence1\tsentence2\tlabel\n"


def splits_in(directory: Path, *names: str) -> Path:
    """Files that differ in the text and the number of their pairs."""
    directory.mkdir(exist_ok=True)
    for number, name in enumerate(names, start=10):
        rows = "".join(f"{i}\ta {i} of {name}\tb {i} of {name}\t{i % 2}\n" for i in range(number))
        (directory / name).write_text(HEADER + rows, encoding="utf-8")
    return directory


def loaded(source: Pairs) -> dict[str, str]:
    """Which file each split came from."""
    return {split: table.sentence1[0].split()[-1] for split, table in load_tables(source).splits.items()}


@pytest.mark.parametrize("validation", ["validation.tsv", "dev.tsv", "valid.tsv", "val.tsv"])
@pytest.mark.parametrize("source", [Paws, Pairs])
def test_a_directory_of_splits(tmp_path: Path, source: type, validation: str) -> None:
    splits_in(tmp_path, "train.tsv", validation, "test.tsv")
    pairs = source(str(tmp_path))
    assert loaded(pairs) == {"train": "train.tsv", "validation": validation, "test": "test.tsv"}
    assert [pairs.count(split) for split in ("train", "validation", "test")] == [10, 11, 12]
    assert pairs.hub_name is None


def test_a_path_may_begin_with_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    splits_in(tmp_path / "mine", "test.tsv", "other.tsv")
    for source in (Pairs("~/mine"), Paws("~/mine"), Pairs(test="~/mine/test.tsv")):
        assert source.hub_name is None and loaded(source) == {"test": "test.tsv"}
    assert Pairs("~/mine/other.tsv").hub_name is None and loaded(Pairs("~/mine/other.tsv"))["train"] == "other.tsv"


def test_a_named_file_goes_before_one_of_the_directory(tmp_path: Path) -> None:
    splits_in(tmp_path, "train.tsv", "train.csv", "test.tsv", "mine.tsv")
    with pytest.raises(UserError, match=r"has several files for train: train\.csv, train\.tsv\ndata=pairs data\.train=FILE"):
        Pairs(str(tmp_path)).files()
    named: dict[str, Any] = {"train": str(tmp_path / "mine.tsv")}
    assert loaded(Pairs(str(tmp_path), **named)) == {"train": "mine.tsv", "validation": "mine.tsv", "test": "test.tsv"}
    only = splits_in(tmp_path / "only", "other.tsv")
    assert loaded(Pairs(str(only), **named)) == dict.fromkeys(("train", "validation", "test"), "mine.tsv")


def test_two_files_for_the_training_pairs_are_refused(tmp_path: Path) -> None:
    splits_in(tmp_path, "a.tsv", "b.tsv")
    with pytest.raises(UserError, match=r"data\.path=.*a\.tsv and data\.train=.*b\.tsv both name the training pairs"):
        Pairs(str(tmp_path / "a.tsv"), train=str(tmp_path / "b.tsv")).splits()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, r"nothing says where the pairs are\ndata\.path=FILE"),
        ({"path": "{tmp}"}, r"has no file of pairs\ntrain\.\*, validation\.\*, test\.\* with one of \.csv"),
        ({"path": "{tmp}/gone.csv"}, r"there is no file .*gone\.csv\ndata files in .*: pairs\.tsv"),
        ({"path": "{tmp}/notes.txt", "label": "x"}, r"notes\.txt has no column 'x'\nits columns: id, sentence1, "),
        (
            {"path": "{tmp}/pairs.tsv", "label": "labels"},
            r"has no column 'labels'\n.*\ndata\.label=label would fit",
        ),
        ({"path": "{tmp}/pairs.tsv", "test": "{tmp}/gone.csv"}, r"there is no file .*gone\.csv"),
    ],
    ids=str,
)
def test_the_message_where_there_are_no_pairs(tmp_path: Path, arguments: dict[str, Any], problem: str) -> None:
    splits_in(tmp_path, "pairs.tsv", "notes.txt")
    with pytest.raises(UserError, match=problem):
        load_tables(Pairs(**{name: value.format(tmp=tmp_path) for name, value in arguments.items()}))


@pytest.mark.parametrize("key", ["path", "train", "test"])
@pytest.mark.parametrize("name", ["-", "/dev/stdin", "{tmp}/fifo"])
def test_a_pipe_is_refused(tmp_path: Path, key: str, name: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    problem = r"is a pipe, and data are read several times\nsave them to a file: data\.{}=FILE"
    with pytest.raises(UserError, match=problem.format(key)):
        Pairs(**cast(dict[str, Any], {key: name.format(tmp=tmp_path)}))


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_a_file_without_rows_is_refused_before_it_is_read(tmp_path: Path, ending: str) -> None:
    names = ("sentence1", "sentence2", "label")
    path = tmp_path / f"a.{ending}"
    empty = pa.schema([(name, pa.string()) for name in names]).empty_table()
    if ending == "csv":
        path.write_text(",".join(names) + "\n", encoding="utf-8")
    elif ending == "parquet":
        pq.write_table(empty, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, empty.schema):
            pass
    holds = "a header" if ending == "csv" else "columns"
    with pytest.raises(UserError, match=rf"a\.{ending} has {holds} and no rows"):
        Pairs(str(path)).require_columns()


def test_paws_wants_a_directory(tmp_path: Path) -> None:
    splits_in(tmp_path, "train.tsv")
    with pytest.raises(UserError, match=r"data\.path=.*train\.tsv is not a directory\na directory with train\.tsv"):
        load_tables(Paws(str(tmp_path / "train.tsv")))


@pytest.mark.parametrize(
    "source", [Paws(), Pairs("someone/pairs"), Pairs("someone/pairs", train="x.tsv")], ids=["paws", "pairs", "with a file"]
)
def test_the_hub_without_a_network(source: Pairs) -> None:
    assert source.hub_name is not None and source.count("train") in (None, 49_401)
    problem = rf"^the data set {source.hub_name} could not be loaded from the Hub: \w+: .*\n.*network.*\n.*data\.path=DIRECTORY"
    with pytest.raises(UserError, match=problem):
        load_tables(source)


@pytest.fixture
def hub_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set as it lies on the Hub, with integer and boolean labels, in a configuration of its own."""
    import datasets

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    rows = {"train": 20, "dev": 4, "test": 6, "unlabelled": 3}
    for split, count in rows.items():
        lines = [{"id": i, "q": f"a {i} {split}", "r": f"b {i} {split}", "same": i % 2 == 0} for i in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in rows)
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: mine\n  data_files:\n{files}---\n", encoding="utf-8")
    return tmp_path


class HubPairs(Pairs):
    """Takes the way of Hub names although the data set lies in a directory."""

    def files(self) -> dict[str, list[Path]]:
        return {}

    @property
    def hub_name(self) -> str | None:
        return self.path


def test_a_data_set_as_on_the_hub(hub_directory: Path) -> None:
    source = HubPairs(str(hub_directory), "mine", sentence1="q", sentence2="r", label="same")
    tables = load_tables(source)
    assert {split: len(table) for split, table in tables.splits.items()} == {"train": 20, "validation": 4, "test": 6}
    assert (tables.splits["test"].ids[3], tables.splits["test"].sentence2[3]) == ("3", "b 3 test")
    assert tables.splits["train"].labels.tolist() == [1, 0] * 10
    with pytest.raises(UserError, match=r"/train has no column label\ncolumns: id, q, r, same\ndata\.sentence1="):
        load_tables(HubPairs(str(hub_directory), "mine", sentence1="q", sentence2="r"))
    with pytest.raises(UserError, match=r"/train:2: the label is none of True: 'False'"):
        load_tables(HubPairs(str(hub_directory), "mine", sentence1="q", sentence2="r", label="same", labels={"True": 1}))


def test_splits_of_the_hub_under_other_names(hub_directory: Path) -> None:
    columns: dict[str, Any] = {"sentence1": "q", "sentence2": "r", "label": "same"}
    source = HubPairs(str(hub_directory), "mine", **columns, splits={"train": "test", "test": "unlabelled", "validation": None})
    assert list(source.splits()) == ["train", "test"]
    with pytest.raises(
        UserError, match=r"has no split named gone\nits splits and files: dev, test, train, unlabelled\ndata\.splits\.test"
    ):
        HubPairs(str(hub_directory), "mine", **columns, splits={"test": "gone"}).splits()


def test_word_order_knows_its_size_and_names_its_pairs() -> None:
    source = WordOrder(120, 20, 10, seed=1)
    tables = load_tables(source)
    assert {split: len(table) for split, table in tables.splits.items()} == {"train": 120, "validation": 20, "test": 10}
    assert {split: source.count(split) for split in tables.splits} == {"train": 120, "validation": 20, "test": 10}
    assert len(set(tables.splits["train"].ids)) == 120


def test_word_order_has_shares_of_at_most_one() -> None:
    tables = load_tables(WordOrder(120, 20, 10, reworded_share=0.5, replaced_share=0.5))
    assert {id.split("-")[1] for id in tables.splits["train"].ids} == {"reworded", "replaced"}
    with pytest.raises(UserError, match=r"data\.replaced_share=0\.6 .*is 1\.1\nshares that are together at most 1"):
        WordOrder(120, 20, 10, reworded_share=0.5, replaced_share=0.6)


def test_word_order_trains_and_tests_on_some_of_its_kinds() -> None:
    source = WordOrder(120, 20, 10, replaced_share=0.5, train_kinds=["replaced"], evaluation_kinds=["order"])
    kinds = {split: {id.split("-")[1] for id in table.ids} for split, table in load_tables(source).splits.items()}
    assert kinds == {"train": {"replaced"}, "validation": {"order"}, "test": {"order"}}
    for given, said in ((["negated"], "[negated]"), ([], "[]")):
        with pytest.raises(
            UserError, match=rf"data\.evaluation_kinds={re.escape(said)}\nnull for all, or some of order, replaced,"
        ):
            WordOrder(120, 20, 10, replaced_share=0.5, evaluation_kinds=given)


def test_one_split_for_an_evaluation(tmp_path: Path) -> None:
    splits_in(tmp_path, "train.tsv", "test.tsv")
    settings: dict[str, Any] = {"own": True, "on_bad_rows": "error", "validation_fraction": 0.3, "limit": None}
    name, tables = load_split(Pairs(str(tmp_path)), None, **settings)
    assert (name, len(tables.splits["test"])) == ("test", 11)
    name, tables = load_split(Pairs(str(tmp_path)), "validation", **settings)
    trained_with = load_tables(Pairs(str(tmp_path)), validation_fraction=0.3)
    assert tables.fingerprints == {name: trained_with.fingerprints["validation"]}
    name, tables = load_split(Pairs(str(tmp_path / "test.tsv")), None, **{**settings, "own": False, "limit": 3})
    assert (name, tables.splits["test"].sentence1) == ("test", [f"a {i} of test.tsv" for i in range(3)])
    with pytest.raises(UserError, match=r"the data set has no test split\nsplits: train"):
        load_split(Pairs(str(tmp_path / "test.tsv")), "test", **{**settings, "own": False})
