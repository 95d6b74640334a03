from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from hash_scorer import HashScorer, read, write
from paraphrase_lab.errors import UserError
from paraphrase_lab.scoring.output import SCORE_COLUMNS
from paraphrase_lab.scoring.stream import score_file


def typed_table() -> pa.Table:
    return pa.table(
        {
            "sentence1": pa.array(["a", "b", "c"], pa.large_string()),
            "sentence2": pa.array(["a", "b", "c"]).dictionary_encode(),
            "small": pa.array([1, None, 3], pa.int8()),
            "day": pa.array([date(2024, 2, 29), None, date(1970, 1, 1)]),
            "nano": pa.array([1, 2, None], pa.timestamp("ns", "UTC")),
            "price": pa.array([Decimal("1.50"), None, Decimal("2.00")], pa.decimal128(5, 2)),
            "raw": pa.array([b"\xff", None, b""]),
            "list": pa.array([[1.5, None], [], None], pa.list_(pa.float32())),
            "real": pa.array([float("nan"), float("inf"), 0.1]),
            "flag": pa.array([True, None, False]),
        }
    )


def test_parquet_keeps_every_type_and_value(tmp_path: Path) -> None:
    table = typed_table()
    pq.write_table(table, tmp_path / "a.parquet")
    score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / "b.parquet", chunk_rows=2)
    scored = pq.read_table(tmp_path / "b.parquet")
    assert scored.schema.types == [*table.schema.types, pa.float64(), pa.int64(), pa.string()]
    kept = scored.drop(list(SCORE_COLUMNS))
    assert kept.drop(["real"]).unify_dictionaries() == table.drop(["real"])
    assert repr(kept["real"].to_pylist()) == "[nan, inf, 0.1]"


def test_typed_values_as_text(tmp_path: Path) -> None:
    pq.write_table(typed_table(), tmp_path / "a.parquet")
    score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / "b.csv")
    score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / "b.jsonl")
    texts = list(read(tmp_path / "b.csv")[0].values())[2:-3]
    assert texts == [
        "1", "2024-02-29", "1970-01-01T00:00:00.000000001+00:00", "1.50", "/w==", "[1.5, null]", "nan", "true"
    ]  # fmt: skip
    values = list(read(tmp_path / "b.jsonl")[0].values())[2:-3]
    assert values == [
        1, "2024-02-29", "1970-01-01T00:00:00.000000001+00:00", "1.50", "/w==", [1.5, None], None, True
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_texts_stored_as_bytes_come_out_as_texts(tmp_path: Path, kind: pa.DataType) -> None:
    texts = {"sentence1": ["Zoë, here", "b"], "sentence2": ['a "c"', "d"], "genre": ["talk", None]}
    stored = {name: pa.array([text and text.encode() for text in column], kind) for name, column in texts.items()}
    table = pa.table({**stored, "raw": pa.array([b"ok", b"\xff"], kind)})
    pq.write_table(table, tmp_path / "a.parquet")
    for ending in ("csv", "tsv", "jsonl"):
        score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / f"b.{ending}")
        first, second = ([*row.values()][:-3] for row in read(tmp_path / f"b.{ending}"))
        assert first == ["Zoë, here", 'a "c"', "talk", "b2s="], ending
        assert second == ["b", "d", None if ending == "jsonl" else "", "/w=="], ending
    score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet").drop(list(SCORE_COLUMNS)) == table


def test_a_tab_in_a_text_stored_as_bytes_is_found_before_anything_is_scored(tmp_path: Path) -> None:
    pq.write_table(pa.table({"sentence1": [b"x\ty"], "sentence2": [b"z"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet:1: 'sentence1' holds a tab or a line break"):
        score_file(HashScorer(), tmp_path / "a.parquet", tmp_path / "b.tsv")


JSON_ROWS = [
    {"sentence1": "a", "sentence2": "b", "n": 1, "f": 1, "mixed": "text", "nested": {"k": [1]}, "wide": 2**60},
    {"sentence1": "a", "sentence2": "c", "n": None, "f": 0.5, "mixed": 7, "nested": None, "wide": 0.5, "late": True},
]


def test_jsonl_objects_stay_as_they_are(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in JSON_ROWS))
    score_file(HashScorer(), source, tmp_path / "b.jsonl")
    kept = [{k: v for k, v in row.items() if k not in SCORE_COLUMNS} for row in read(tmp_path / "b.jsonl")]
    assert kept == JSON_ROWS


def test_jsonl_columns_get_one_type_for_the_whole_file(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in JSON_ROWS))
    score_file(HashScorer(), source, tmp_path / "b.parquet", chunk_rows=1)
    table = pq.read_table(tmp_path / "b.parquet").drop(["sentence1", "sentence2", *SCORE_COLUMNS])
    assert {field.name: str(field.type) for field in table.schema} == {
        "n": "int64", "f": "double", "mixed": "string", "nested": "string", "wide": "string", "late": "bool"
    }  # fmt: skip
    assert table.to_pylist() == [
        {"n": 1, "f": 1.0, "mixed": "text", "nested": '{"k": [1]}', "wide": str(2**60), "late": None},
        {"n": None, "f": 0.5, "mixed": "7", "nested": None, "wide": "0.5", "late": True},
    ]
    score_file(HashScorer(), source, tmp_path / "b.csv", chunk_rows=1)
    assert [list(row.values())[2:-3] for row in read(tmp_path / "b.csv")] == [
        ["1", "1", "text", '{"k": [1]}', str(2**60), ""],
        ["", "0.5", "7", "", "0.5", "true"],
    ]


def test_csv_cells_with_line_breaks_survive(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", 'sentence1,sentence2,other\n"x\r""y\n","z,\r\n","\r"\n')
    score_file(HashScorer(), source, tmp_path / "b.csv")
    [row] = read(tmp_path / "b.csv")
    assert (row["sentence1"], row["sentence2"], row["other"]) == ('x\r"y\n', "z,\r\n", "\r")


@pytest.mark.parametrize("name", SCORE_COLUMNS)
def test_columns_that_scoring_adds_must_be_free(tmp_path: Path, name: str) -> None:
    csv_file = write(tmp_path / "a.csv", f"sentence1,sentence2,{name}\nx,y,z\n")
    late = {"sentence1": "a", "sentence2": "b", name: 1}
    jsonl = write(tmp_path / "a.jsonl", '{"sentence1": "a", "sentence2": "b"}\n' + json.dumps(late) + "\n")
    for source in (csv_file, jsonl):
        with pytest.raises(UserError, match=rf"already has a column '{name}', which scoring adds\n.*\nrename or drop"):
            score_file(HashScorer(), source, tmp_path / "b.jsonl")


def test_tsv_cannot_hold_tabs_which_is_said_before_anything_is_scored(tmp_path: Path) -> None:
    scorer = HashScorer()
    for text, shown in (("x\ty", r"x\\ty"), ("x\ny", r"x\\ny"), ("x\ry", r"x\\ry")):
        source = write(tmp_path / "a.csv", f'sentence1,sentence2\na,b\n"{text}",b\n')
        match = rf"a.csv:3: 'sentence1' holds a tab or a line break.*'{shown}'\n.*: .csv, .jsonl, .parquet\n.*b.csv"
        with pytest.raises(UserError, match=match):
            score_file(scorer, source, tmp_path / "b.tsv", chunk_rows=1)
    source = write(tmp_path / "a.csv", 'sentence1,sentence2,"c\td"\na,b,c\n')
    with pytest.raises(UserError, match=r"a.csv: a column name holds a tab"):
        score_file(scorer, source, tmp_path / "b.tsv")
    assert scorer.pairs_scored == 0


def test_types_that_parquet_cannot_hold_are_named_before_anything_is_scored(tmp_path: Path) -> None:
    months = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    table = pa.table({"sentence1": ["a"], "sentence2": ["b"], "span": months})
    with ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    scorer = HashScorer()
    with pytest.raises(UserError, match=r"column 'span' .* type month_day_nano_interval, which parquet cannot hold"):
        score_file(scorer, tmp_path / "a.arrow", tmp_path / "b.parquet")
    assert scorer.pairs_scored == 0
