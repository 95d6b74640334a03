"""Directories as people have them: from the Hub, from save_to_disk, in parts; and the columns that a header suggests."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from paraphrase_lab.data.columns import guessed_columns, require_columns
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import PairTables, load_tables
from paraphrase_lab.errors import UserError


def columns(name: str, count: int) -> dict[str, list[Any]]:
    texts = {key: [f"{key} {number} of {name}" for number in range(count)] for key in ("sentence1", "sentence2")}
    return {**texts, "label": [number % 2 for number in range(count)]}


def parquet(path: Path, name: str, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns(name, count)), path)
    return path


def sizes(tables: PairTables) -> dict[str, int]:
    return {split: len(table) for split, table in tables.splits.items()}


@pytest.mark.parametrize("is_dict", [True, False])
def test_what_save_to_disk_wrote(tmp_path: Path, is_dict: bool) -> None:
    datasets.disable_progress_bars()
    splits: Any = {name: datasets.Dataset.from_dict(columns(name, 20)) for name in ("train", "validation", "test")}
    if is_dict:
        datasets.DatasetDict(splits).save_to_disk(tmp_path / "d", num_shards={"train": 2, "validation": 1, "test": 1})
    else:
        splits["train"].save_to_disk(tmp_path / "d")
    tables = load_tables(Pairs(str(tmp_path / "d")))
    assert sizes(tables) == (
        {"train": 20, "validation": 20, "test": 20} if is_dict else {"train": 16, "validation": 2, "test": 2}
    )
    if is_dict:
        assert tables.splits["train"].sentence1 == columns("train", 20)["sentence1"]
        assert len(set(tables.splits["train"].ids)) == 20, "lines count on over the parts"


def test_a_selection_that_save_to_disk_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data.arrow"}], "_indices_data_files": [{"filename": "indices.arrow"}]})
    )
    with pytest.raises(UserError, match=r"a selection of rows beside the rows\ncall flatten_indices\(\) before save_to_disk"):
        load_tables(Pairs(str(tmp_path)))


@pytest.mark.parametrize("folder", ["", "data"])
def test_parts_of_a_snapshot_of_the_hub(tmp_path: Path, folder: str) -> None:
    for split, parts in {"train": 2, "validation": 1}.items():
        for part in range(parts):
            parquet(tmp_path / folder / f"{split}-0000{part}-of-0000{parts}.parquet", f"{split} {part}", 10)
    source = Pairs(str(tmp_path))
    tables = load_tables(source)
    assert sizes(tables) == {"train": 20, "validation": 10} and source.count("train") == 20
    assert tables.splits["train"].sentence1[10] == "sentence1 0 of train 1" and tables.splits["train"].ids[10] == "11"
    (tmp_path / folder / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(
        UserError, match=r"has 1 of 2 parts of train: train-00000-of-00002\.parquet\ndownload or copy the missing"
    ):
        load_tables(source)


def test_configurations_of_a_snapshot(tmp_path: Path) -> None:
    for name in ("mrpc", "qqp"):
        for split in ("train", "dev"):
            parquet(tmp_path / name / f"{split}-00000-of-00001.parquet", f"{name} {split}", 10)
    with pytest.raises(UserError, match=r"has no file of pairs\n.*\ndata\.subset=mrpc reads the folder of that name"):
        load_tables(Pairs(str(tmp_path)))
    assert sizes(load_tables(Pairs(str(tmp_path), "qqp"))) == {"train": 10, "validation": 10}
    files = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train-*\n  - split: validation\n"
        f"    path: [{name}/dev-*]\n"
        for name in ("mrpc", "qqp")
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{files}---\n# A card\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds several data sets: mrpc, qqp\ndata\.subset=mrpc reads the first"):
        load_tables(Pairs(str(tmp_path)))
    tables = load_tables(Pairs(str(tmp_path), "qqp"))
    assert tables.splits["validation"].sentence1[0] == "sentence1 0 of qqp dev"


HEADERS = [
    (["id", "qid1", "qid2", "question1", "question2", "is_duplicate"], ["question1", "question2", "is_duplicate"]),
    (["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"], ["#1 String", "#2 String", "Quality"]),
    (["premise", "hypothesis", "label"], ["premise", "hypothesis", "label"]),
    (["idx", "text_a", "text_b", "gold_label"], ["text_a", "text_b", "gold_label"]),
    (["s1", "s2", "y"], ["s1", "s2", "y"]),
    (["Sentence A", "Sentence B", "Is Duplicate"], ["Sentence A", "Sentence B", "Is Duplicate"]),
    (["first text", "second text", "same"], ["first text", "second text", "same"]),
    (["sentence #1", "sentence #2", "is dup?"], ["sentence #1", "sentence #2", "is dup?"]),
    (["句子1", "句子2", "标签"], ["句子1", "句子2", "标签"]),
    (["id", "文１", "文２", "同じ"], ["文１", "文２", "同じ"]),
    (["s1", "s2", "by whom", "how sure"], ["s1", "s2", "NAME"]),
    (["text_a", "text_b"], ["text_a", "text_b", "NAME"]),
    (["label1", "label2", "title"], []),
    (["text", "label"], []),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS, ids=[header[-2] for header, _ in HEADERS])
def test_columns_that_a_header_suggests(tmp_path: Path, header: list[str], expected: list[str]) -> None:
    assert guessed_columns(header, 3) == expected
    path = tmp_path / "a.tsv"
    path.write_text("\t".join(header) + "\n", encoding="utf-8")
    if not expected:
        return
    wanted = ("sentence1", "sentence2", "labels")
    with pytest.raises(UserError) as caught:
        require_columns(path, wanted)
    said, comma, rest = caught.value.hint.partition(", NAME being the column of the labels")
    assert bool(comma) is ("NAME" in expected) and not rest
    words = shlex.split(said.removesuffix(" would fit the header"))
    typed = [OverridesParser.create().parse_override(word) for word in words]
    assert {one.key_or_group: one.value() for one in typed} == {
        f"data.{key}": name for key, name in zip(("sentence1", "sentence2", "label"), expected, strict=True)
    }
    with pytest.raises(UserError) as caught:
        require_columns(path, wanted[:2], ReadOptions(flags=True))
    assert shlex.split(caught.value.hint.removesuffix(" would fit the header")) == ["--columns", *expected[:2]]


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("sentence1,sentence2,同じ", r"data\.label=.*would fit the header$"),
        ("sentence1,sentence2,a,b", r"data\.sentence1=NAME data\.sentence2=NAME data\.label=NAME names the columns$"),
        ("q1,q2,label,other", r"\ndata\.sentence1=q1 data\.sentence2=q2 would fit the header$"),
    ],
)
def test_what_is_known_already_is_not_asked_for(tmp_path: Path, header: str, hint: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=hint):
        require_columns(path, ("sentence1", "sentence2", "label"))


def test_a_file_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{i},she goes to town {i},to town she goes {i},{i % 2}\n" for i in range(30)]
    path.write_text("".join(rows), encoding="utf-8")
    with pytest.raises(UserError, match=r"not like a header: 'data\.columns=\[column1,sentence1,sentence2,label\]' names the"):
        load_tables(Pairs(str(path)))
    source = Pairs(str(path), columns=["id", "sentence1", "sentence2", "label"])
    tables = load_tables(source)
    assert sum(sizes(tables).values()) == 30 == source.count("train")
    with pytest.raises(UserError, match=r"--header column1,sentence1,sentence2,column4 names the columns"):
        require_columns(path, ("sentence1", "sentence2"), ReadOptions(flags=True))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_nested_columns_by_a_path_with_dots(tmp_path: Path, name: str) -> None:
    rows = [{"pair": {"texts": [f"a {i}", f"b {i}"]}, "meta": {"gold": i % 2}} for i in range(4)]
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows)), encoding="utf-8")
    source = Pairs(test=str(path), sentence1="pair.texts.0", sentence2="pair.texts.1", label="meta.gold")
    table = load_tables(source).splits["test"]
    assert (table.sentence2, table.labels.tolist()) == (["b 0", "b 1", "b 2", "b 3"], [0, 1, 0, 1])
    with pytest.raises(UserError, match=r"has no column 'pair\.text'\nits columns: pair, meta"):
        load_tables(Pairs(test=str(path), sentence1="pair.text", sentence2="pair.texts.1", label="meta.gold"))


def test_a_key_that_the_first_objects_lack(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"sentence1": "a", "sentence2": "b"}\n{"sentence1": "c", "sentence2": "d", "label": 1}\n', encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"^1 row cannot be used:\n  .*a\.jsonl:1: the label is none of 0, 1: ''"):
        load_tables(Pairs(test=str(path)))
