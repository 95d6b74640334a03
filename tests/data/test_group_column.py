"""The column that data.group names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paraphrase_lab.data.group_column import has_group
from paraphrase_lab.data.sources import Pairs
from paraphrase_lab.data.tables import load_tables
from paraphrase_lab.errors import UserError


def rows(*groups: Any) -> list[dict[str, Any]]:
    return [
        {"sentence1": f"a {number}", "sentence2": f"b {number}", "label": number % 2, "kind": groups[number % len(groups)]}
        for number in range(240)
    ]


def jsonl(path: Path, *groups: Any) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(*groups)), encoding="utf-8")
    return str(path)


def test_empty_cells_are_pairs_without_a_group(tmp_path: Path) -> None:
    train = load_tables(Pairs(jsonl(tmp_path / "a.jsonl", "news", 7, "", " ", None), group="kind")).splits["train"]
    assert set(train.groups or []) == {"news", "7", None}


def test_a_group_inside_a_column(tmp_path: Path) -> None:
    nested = ({"domain": "news"}, {"domain": "mail"})
    file = tmp_path / "nested.parquet"
    pq.write_table(pa.Table.from_pylist(rows(*nested)), file)
    for path in (str(file), jsonl(tmp_path / "nested.jsonl", *nested)):
        assert set(load_tables(Pairs(path, group="kind.domain")).splits["train"].groups or []) == {"news", "mail"}


def test_a_key_that_the_first_rows_lack(tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    some = [{**row, **({"topic": "news"} if number % 5 == 4 else {})} for number, row in enumerate(rows("a"))]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in some), encoding="utf-8")
    assert set(load_tables(Pairs(str(file), group="topic")).splits["train"].groups or []) == {"news", None}


def test_an_absent_number_is_no_group(tmp_path: Path) -> None:
    file = tmp_path / "years.parquet"
    pq.write_table(pa.Table.from_pylist(rows(2019.5, float("nan"))), file)
    assert set(load_tables(Pairs(str(file), group="kind")).splits["train"].groups or []) == {"2019.5", None}


@pytest.mark.parametrize(
    ("column", "found"),
    [("a", True), ("a.b", True), ("a.c", False), ("d.e", True), ("my.col", True), ("my", False), ("x", False)],
)
def test_columns_of_a_row_of_the_hub(column: str, found: bool) -> None:
    assert has_group({"a": {"b": "news"}, "d": None, "my.col": "x"}, column) is found


@pytest.mark.parametrize(
    ("group", "values", "message"),
    [
        ("kind", [["a", "b"]], r"line 1: the value of data\.group=kind is a list\na column of texts or numbers with few"),
        ("kind", ["a", {"b": 1}], r"line 2: the value of data\.group=kind is an object"),
        ("kin", ["a"], r"has no column 'kin', which data\.group names\nits columns: sentence1, sentence2, label, kind"),
        (
            "kind",
            [str(number) for number in range(120)],
            r"names a column with 120 different values \('0', '1', '2', …\), and each would have results\n.*; 100 at most",
        ),
    ],
)
def test_columns_that_name_no_groups(tmp_path: Path, group: str, values: list[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_tables(Pairs(jsonl(tmp_path / "a.jsonl", *values), group=group))
