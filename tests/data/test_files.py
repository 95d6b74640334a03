from __future__ import annotations

import gzip
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from paraphrase_lab.data.columns import require_columns
from paraphrase_lab.data.files import RowReader, column_names
from paraphrase_lab.data.rows import BadRow, Row
from paraphrase_lab.errors import UserError


def file_with(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def rows_of(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(row.line, row.values) for row in RowReader(path) if isinstance(row, Row)]


def bad_rows_of(path: Path) -> list[tuple[int, str, str]]:
    return [(row.line, row.problem, row.value) for row in RowReader(path) if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,text\n1,é\n2,b\n"),
        ("a.csv", "id,text\r\n1,é\r\n2,b\r\n"),
        ("a.csv", "\ufeffid,text\n1,é\n2,b"),
        ("a.CSV", '"id","text"\n1,"é"\n2,b\n'),
        ("a.tsv", "id\ttext\n1\té\n2\tb\n"),
        ("a.tsv", "\ufeffid\ttext\r\n1\té\r\n2\tb"),
        ("a.jsonl", '\ufeff{"id": "1", "text": "é"}\n{"id": "2", "text": "b"}'),
        ("a.jsonl", '{"id": "1", "text": "\\u00e9"}\r\n{"id": "2", "text": "b"}\r\n'),
    ],
)
def test_same_rows_from_every_spelling_of_a_text_format(tmp_path: Path, name: str, content: str) -> None:
    path = file_with(tmp_path, name, content.encode())
    first = 1 if name.endswith("jsonl") else 2
    assert rows_of(path) == [(first, {"id": "1", "text": "é"}), (first + 1, {"id": "2", "text": "b"})]
    assert column_names(path) == ["id", "text"]


def test_csv_fields_hold_separators_quotes_and_line_breaks_and_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", b'a,b\n"x,\n""y""\r\nz",1\n\nq,\n')
    assert rows_of(path) == [(2, {"a": 'x,\n"y"\r\nz', "b": "1"}), (6, {"a": "q", "b": ""})]


def test_tsv_quotes_are_ordinary_characters(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.tsv", b"a\tb\n\"x\t``y''\n\n\t\"\n")
    assert rows_of(path) == [(2, {"a": '"x', "b": "``y''"}), (4, {"a": "", "b": '"'})]


def test_jsonl_skips_blank_lines_and_keeps_types_and_differing_keys(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.jsonl", b'\n{"a": 1, "b": [null, "\\ud83d\\ude00"]}\n  \n{"c": 0.5}\n')
    assert rows_of(path) == [(2, {"a": 1, "b": [None, "\U0001f600"]}), (4, {"c": 0.5})]
    assert column_names(path) == ["a", "b", "c"]
    assert column_names(path, wanted=["b"]) == ["a", "b"], "no further than it takes"


def test_fields_longer_than_the_limit_of_the_csv_module(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", b"a,b\n" + b"x" * 1_000_000 + b",1\n")
    assert len(rows_of(path)[0][1]["a"]) == 1_000_000


def write_table(path: Path, table: pa.Table, container: str) -> Path:
    if container == "parquet":
        pq.write_table(table, path, row_group_size=700)
    else:
        with (ipc.new_file if container == "file" else ipc.new_stream)(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=3000)
    return path


@pytest.mark.parametrize(("ending", "container"), [("parquet", "parquet"), ("arrow", "file"), ("arrow", "stream")])
def test_parquet_and_both_arrow_containers(tmp_path: Path, ending: str, container: str) -> None:
    table = pa.table({"id": range(5000), "text": [f"t{number}" for number in range(5000)]})
    path = write_table(tmp_path / f"a.{ending}", table, container)
    assert column_names(path) == ["id", "text"]
    rows = rows_of(path)
    assert [line for line, _ in rows] == list(range(1, 5001))
    assert [values for _, values in rows] == table.to_pylist()


@pytest.mark.parametrize("container", ["parquet", "stream"])
def test_arrow_memory_does_not_grow_with_the_file(tmp_path: Path, container: str) -> None:
    texts = pa.table({"text": [random.randbytes(500).hex() for _ in range(20_000)]})
    path = tmp_path / ("a.parquet" if container == "parquet" else "a.arrow")
    pq.write_table(texts, path) if container == "parquet" else write_table(path, texts, container)
    size_bytes = texts.nbytes
    del texts
    before = pa.total_allocated_bytes()
    peak_bytes = max(pa.total_allocated_bytes() - before for _ in RowReader(path))
    assert peak_bytes < size_bytes / 2


CARRIAGE_RETURN = "line ends of old Macs (CR alone), or a carriage return outside quotes"


@pytest.mark.parametrize(
    ("name", "content", "line", "problem", "value"),
    [
        ("a.csv", b"a,b\n1,2\n1,2,3\n5,6\n", 3, "ragged line: 3 fields, the header has 2", "1,2,3"),
        ("a.csv", b'a,b\n1,2\n"x\ny"\n5,6\n', 3, "ragged line: 1 fields, the header has 2", "x\ny"),
        ("a.csv", b"a,b\n1,2\nM\xfcnchen,3\n5,6\n", 3, "not UTF-8", r"M\xfcnchen,3"),
        ("a.csv", b'a,b\n1,2\n"p\xff\n",3\n5,6\n', 3, "not UTF-8", r'"p\xff'),
        ("a.csv", b'a,b\n1,2\n"x"y,3\n5,6\n', 3, "text after a closing quote", '"x"y,3'),
        ("a.csv", b"a,b\n1,2\nx\ry,3\n5,6\n", 3, CARRIAGE_RETURN, "x\ry,3"),
        ("a.csv", b'a,b\n1,2\n"x,3\n5,6\n', 3, "a quote is never closed", '"x,3'),
        ("a.tsv", b"a\tb\n1\t2\n1\n5\t6\n", 3, "ragged line: 1 fields, the header has 2", "1"),
        ("a.tsv", b"a\tb\n1\t2\n\xe9\t2\n5\t6\n", 3, "not UTF-8", "\\xe9\t2"),
        ("a.jsonl", b'{"a": "1", "b": "2"}\n{"a": \n{"a": "5", "b": "6"}\n', 2, "not valid JSON", '{"a":'),
        ("a.jsonl", b'{"a": "1", "b": "2"}\n["a"]\n{"a": "5", "b": "6"}\n', 2, "not a JSON object", '["a"]'),
        ("a.jsonl", b'{"a": "1", "b": "2"}\n{"a": "\xff"}\n{"a": "5", "b": "6"}\n', 2, "not UTF-8", '{"a": "\\xff"}'),
        (
            "a.jsonl",
            b'{"a": "1", "b": "2"}\n{"a": "\\uD83d"}\n{"a": "5", "b": "6"}\n',
            2,
            "not Unicode: half of a surrogate pair",
            '{"a": "\\uD83d"}',
        ),
    ],
)
def test_a_bad_row_is_named_and_the_others_still_come(
    tmp_path: Path, name: str, content: bytes, line: int, problem: str, value: str
) -> None:
    path = file_with(tmp_path, name, content)
    assert [item for item in RowReader(path) if isinstance(item, BadRow)] == [BadRow(str(path), line, problem, value)]
    assert [values for _, values in rows_of(path)] == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}]


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_python_writes_for_missing_numbers_is_missing(tmp_path: Path, constant: str) -> None:
    lines = file_with(tmp_path, "a.jsonl", f'{{"a": "1", "b": {constant}}}\n'.encode())
    array = file_with(tmp_path, "a.json", f'[{{"a": "1", "b": {constant}}}]'.encode())
    assert [values for path in (lines, array) for _, values in rows_of(path)] == [{"a": "1", "b": None}] * 2


def test_deeply_nested_json_and_huge_integers_are_bad_rows(tmp_path: Path) -> None:
    deep, huge = b'{"a": ' + b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"
    path = file_with(tmp_path, "a.jsonl", b'{"a": 1}\n' + deep + b"\n" + huge + b"\n")
    problems = bad_rows_of(path)
    assert [(line, problem) for line, problem, _ in problems] == [(2, "not valid JSON"), (3, "not valid JSON")]
    assert all(len(value) == 80 and value.endswith("...") for _, _, value in problems)


def test_a_quote_left_open_costs_its_own_line_only(tmp_path: Path) -> None:
    lines = [b"a,b"] + [b"x%d,y" % number for number in range(2000)]
    lines[5] = b'"x4,y'
    lines[900] = b'"x899,y'
    path = file_with(tmp_path, "a.csv", b"\n".join(lines) + b"\n")
    assert [line for line, _, _ in bad_rows_of(path)] == [6, 901]
    assert len(rows_of(path)) == 1998


def test_values_without_a_python_counterpart_cost_their_row(tmp_path: Path) -> None:
    buffers = pa.array([b"ok", b"\xff\xfe", b"fine"], pa.binary()).buffers()
    texts = pa.Array.from_buffers(pa.string(), 3, buffers)
    times = pa.array([0, 0, 2**55], pa.timestamp("ms"))
    path = write_table(tmp_path / "a.parquet", pa.table({"text": texts, "time": times}), "parquet")
    assert rows_of(path) == [(1, {"text": "ok", "time": datetime(1970, 1, 1)})]
    assert [(line, problem) for line, problem, _ in bad_rows_of(path)] == [
        (2, "not UTF-8"),
        (3, "a value that cannot be read"),
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.arrow"])
def test_fraction_read_grows_to_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(("parquet", "arrow")):
        write_table(path, pa.table({"a": range(20_000)}), "parquet" if name.endswith("parquet") else "stream")
    else:
        line = '{"a": "x"}\n' if name.endswith("jsonl") else "x" * 20 + "\n"
        path.write_text(line * 20_000)
    reader = RowReader(path)
    fractions = [reader.fraction_read for _ in reader]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < 0.6 and len(set(fractions)) > 3
    assert reader.fraction_read == 1.0


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.jsonl", b"", "a.jsonl is empty"),
        ("a.parquet", b"", "a.parquet is empty"),
        ("a.csv", b"\n\r\n", "a.csv has no header"),
        ("a.tsv", b"\n", "a.tsv has no header"),
        ("a.jsonl", b"[1]\n\n", "no line that is a JSON object"),
        ("a.csv", b"\xff,b\n", r"no usable header, .*a.csv:1: not UTF-8: .*\n.*saved as UTF-8"),
        ("a.csv", b"a,b\r1,2\r", "no usable header, .*carriage return outside quotes"),
        ("a.csv", b"a,b,a,b,c\n", r"more than one column named 'a', 'b'\nits columns: a, b, a, b, c"),
        ("a.tsv", b"a\ta\n", "more than one column named 'a'"),
        ("a.txt", b"abcdefgh\x00b", "a.txt holds zero bytes: it is no text"),
        ("a.xlsx", b"PK\x03\x04", r"a.xlsx is a zip archive or an Excel workbook\n.*\n.*save the sheet as CSV UTF-8"),
        ("a.csv", b"PAR1", r"a.csv holds parquet\ndata.format=parquet reads it"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1", "a pointer to a file in Git LFS"),
        ("a.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-8], "a.csv.gz cannot be unpacked: Compressed file ended"),
        ("a.parquet", b"no parquet at all", r"cannot be read as parquet: .*\n.*complete"),
        ("a.arrow", b"no arrow at all", "cannot be read as arrow"),
        ("a.arrow", b"ARROW1 and then nothing", "cannot be read as arrow"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    path = file_with(tmp_path, name, content)
    with pytest.raises(UserError, match=match):
        RowReader(path)
    with pytest.raises(UserError, match=match):
        column_names(path)


def test_duplicate_columns_of_parquet(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(UserError, match="more than one column named 'a'"):
        RowReader(write_table(tmp_path / "a.parquet", table, "parquet"))


def test_files_cut_short_are_named_while_reading(tmp_path: Path) -> None:
    table = pa.table({"a": [f"text {number}" for number in range(50_000)]})
    whole = write_table(tmp_path / "whole.arrow", table, "stream").read_bytes()
    path = file_with(tmp_path, "a.arrow", whole[: len(whole) // 2])
    with pytest.raises(UserError, match="a.arrow cannot be read as arrow: "):
        list(RowReader(path))


def test_missing_files(tmp_path: Path) -> None:
    file_with(tmp_path, "pairs.csv", b"a\n")
    with pytest.raises(UserError, match=r"no file .*pears.csv\ndata files in .*: pairs.csv\ndid you mean .*pairs.csv\?"):
        RowReader(tmp_path / "pears.csv")
    with pytest.raises(UserError, match="the folder .*nowhere does not exist either"):
        RowReader(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(UserError, match="is a folder, not a file"):
        RowReader(tmp_path)


def test_required_columns(tmp_path: Path) -> None:
    path = file_with(tmp_path, "a.csv", b"id,sentence_1,other\n")
    assert require_columns(path, ["other", "id"]) == ["id", "sentence_1", "other"]
    with pytest.raises(UserError) as caught:
        require_columns(path, ["id", "sentence1", "zebra"])
    assert caught.value.problem == f"{path} has no column 'sentence1' and no column 'zebra'"
    assert caught.value.valid == "its columns: id, sentence_1, other"
    assert caught.value.hint == (
        "did you mean 'sentence_1' for 'sentence1'? data.sentence1=NAME data.sentence2=NAME data.label=NAME names the columns"
    )
