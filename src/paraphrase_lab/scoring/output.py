"""Writes scored rows as csv, tsv, jsonl or parquet, whatever format they were read from.

Types: parquet and arrow input keeps its own; columns of csv and tsv are strings. Columns of jsonl get the type that all
their values have (one pass over the file finds it); where values disagree or are nested, a cell is a string as it is
and JSON text otherwise. jsonl to jsonl keeps every object as it is. Bytes of parquet and arrow come as text in the other
formats where the whole column is UTF-8, else in base64.
"""

import base64
import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from paraphrase_lab.data import beyond_training
from paraphrase_lab.data.files import RowReader, column_names, column_types
from paraphrase_lab.data.formats import file_format
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.rows import Row, as_text, shortened
from paraphrase_lab.errors import UserError
from paraphrase_lab.files import json_text

OUTPUT_FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
SCORE_COLUMNS = {"probability": pa.float64(), "prediction": pa.int64(), beyond_training.COLUMN: pa.string()}
EXACT_IN_FLOAT64 = 2**53
JSON_TYPES = {
    frozenset({"boolean"}): pa.bool_(),
    frozenset({"integer"}): pa.int64(),
    frozenset({"long"}): pa.int64(),
    frozenset({"integer", "long"}): pa.int64(),
    frozenset({"float"}): pa.float64(),
    frozenset({"float", "integer"}): pa.float64(),
}

RowWriter = Callable[[list[dict[str, Any]]], None]


def output_schema(source: Path, output: Path, options: ReadOptions) -> pa.Schema:
    """Return the columns of `output`. Raises UserError for whatever would keep them from being written, before anything is."""
    ending = file_format(source, options)
    if ending in (".parquet", ".arrow"):
        columns = column_types(source, ending).remove_metadata()  # what it says of the columns is not true of more columns
        if output.suffix.lower() != ".parquet":
            columns = with_texts(columns, source, options)
    elif ending in (".jsonl", ".json"):
        columns = json_schema(source, options)
    else:
        columns = pa.schema([(name, pa.string()) for name in column_names(source, options)])
    taken = [name for name in columns.names if name in SCORE_COLUMNS]
    if taken:
        raise UserError(
            f"{source} already has a column {' and a column '.join(map(repr, taken))}, which scoring adds",
            valid=f"its columns: {', '.join(columns.names)}",
            hint="rename or drop it first",
        )
    schema = pa.schema([*columns, *(pa.field(name, kind) for name, kind in SCORE_COLUMNS.items())])
    if output.suffix.lower() == ".parquet":
        check_parquet_types(source, schema)
    if output.suffix.lower() == ".tsv" and (ending != ".tsv" or options.quoting not in ("auto", "none")):
        check_tsv_cells(source, output, schema, options)
    return schema


def with_texts(columns: pa.Schema, source: Path, options: ReadOptions) -> pa.Schema:
    """Return the columns, those of bytes as strings where all of their values are UTF-8, as Spark and TFDS write texts."""
    texts = {field.name for field in columns if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)}
    for row in RowReader(source, options) if texts else ():
        if isinstance(row, Row):
            texts -= {name for name in texts if isinstance(as_text(row.values[name]), bytes)}
    return pa.schema([pa.field(field.name, pa.string()) if field.name in texts else field for field in columns])


def json_schema(source: Path, options: ReadOptions) -> pa.Schema:
    """Return every key of every object, in the order in which they appear first."""
    kinds: dict[str, set[str]] = {}
    for row in RowReader(source, options):
        if isinstance(row, Row):
            for name, value in row.values.items():
                kinds.setdefault(name, set()).update(json_kind(value))
    return pa.schema([(name, JSON_TYPES.get(frozenset(found), pa.string())) for name, found in kinds.items()])


def json_kind(value: Any) -> set[str]:
    """Name the kind: null fits every type, so it has no kind; an integer is long where float64 would round it."""
    if value is None:
        return set()
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int):
        if abs(value) <= EXACT_IN_FLOAT64:
            return {"integer"}
        return {"long"} if -(2**63) <= value < 2**63 else {"other"}
    return {"float"} if isinstance(value, float) else {"other"}


def check_parquet_types(source: Path, schema: pa.Schema) -> None:
    for field in schema:
        try:
            pq.write_table(pa.schema([field]).empty_table(), pa.BufferOutputStream())
        except pa.ArrowException as error:
            raise UserError(
                f"column '{field.name}' of {source} has the type {field.type}, which parquet cannot hold",
                valid="formats that can: .csv, .tsv, .jsonl",
                hint="give --output one of these endings, or drop the column",
            ) from error


def check_tsv_cells(source: Path, output: Path, schema: pa.Schema, options: ReadOptions) -> None:
    for name in schema.names:
        if breaks_tsv(name):
            raise tsv_error(str(source), output, "a column name", name)
    for row in RowReader(source, options):
        if isinstance(row, Row):
            for name, value in text_values(row.values, schema).items():
                if breaks_tsv(text := cell(value)):
                    raise tsv_error(f"{source}:{row.line}", output, f"'{name}'", text)


def breaks_tsv(text: str) -> bool:
    return "\t" in text or "\n" in text or "\r" in text


def tsv_error(place: str, output: Path, name: str, text: str) -> UserError:
    return UserError(
        f"{place}: {name} holds a tab or a line break, which no tsv cell can: {shortened(text)!r}",
        valid="formats that can: .csv, .jsonl, .parquet",
        hint=f"for example --output {output.with_suffix('.csv')}; nothing has been scored yet",
    )


@contextmanager
def open_writer(path: Path, ending: str, schema: pa.Schema) -> Iterator[RowWriter]:
    """Yield a function that appends rows to `path`, which is complete once the context ends."""
    if ending == ".parquet":
        with pq.ParquetWriter(path, schema) as writer:
            yield lambda rows: writer.write_table(parquet_table(rows, schema))
        return
    with path.open("w", encoding="utf-8", newline="") as handle:
        if ending == ".jsonl":
            yield lambda rows: handle.writelines(json_text(text_values(row, schema), default=plain) + "\n" for row in rows)
        else:
            write_records = csv.writer(LineFeedEnds(handle)).writerows if ending == ".csv" else partial(write_tsv, handle)
            write_records([schema.names])
            as_rows = partial(map, partial(text_values, schema=schema))
            yield lambda rows: write_records([cell(row.get(name)) for name in schema.names] for row in as_rows(rows))


def text_values(values: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return the values, bytes in a column of strings as text."""
    return {
        name: as_text(value) if isinstance(value, bytes) and schema.field(name).type == pa.string() else value
        for name, value in values.items()
    }


def parquet_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return the rows as a table; whatever stands in a column of texts becomes text."""
    text_columns = [field.name for field in schema if field.type == pa.string()]
    as_text = [{name: cell(row[name]) for name in text_columns if row.get(name) is not None} for row in rows]
    return pa.Table.from_pylist([row | text for row, text in zip(rows, as_text, strict=True)], schema=schema)


def write_tsv(handle: TextIO, records: Iterable[list[str]]) -> None:
    handle.writelines("\t".join(cells) + "\n" for cells in records)


class LineFeedEnds:
    """csv.writer quotes a carriage return only where its records end in CRLF; these then end in LF anyway."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle

    def write(self, record: str) -> None:
        self._handle.write(record.removesuffix("\r\n") + "\n")


def cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return repr(value)
    return json_text(value, default=plain) if isinstance(value, (bool, int, list, tuple, dict)) else plain(value)


def plain(value: Any) -> str:
    """Return dates in ISO 8601, bytes in base64, decimals in digits."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)
