"""Reads files of sentence pairs in any of six formats, streamed: memory does not grow with the file, but for json.

csv follows RFC 4180; tsv is unquoted, so that no cell can hold a tab or a line break. Options say what is different.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from paraphrase_lab.data import dialect
from paraphrase_lab.data.formats import TEXT_FORMATS, file_format
from paraphrase_lab.data.opening import Lines, opened
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.rows import BadRow, Row, shortened, value_at
from paraphrase_lab.data.text_rows import Dialect, Record, array_rows, json_rows, named_columns, table_records, table_rows
from paraphrase_lab.errors import UserError

COLUMNS = ("sentence1", "sentence2", "label")
BATCH_ROWS = 1024
PARQUET_BUFFER_BYTES = 2**20
PLAIN = ReadOptions()


def column_names(path: Path, options: ReadOptions = PLAIN, wanted: Sequence[str] = ()) -> list[str]:
    """Return the columns; for json and jsonl the keys of all objects, or of the first ones that hold all `wanted`.

    Raises:
        UserError: a file without columns, with two of one name, or written in another way than the options say.
    """
    ending = file_format(path, options)
    if ending in (".jsonl", ".json"):
        return _keys(path, ending, options, wanted)
    names = _header(path, ending, options) if ending in TEXT_FORMATS else column_types(path, ending).names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(
            f"{path} has more than one column named {', '.join(map(repr, twice))}",
            valid=f"its columns: {', '.join(names)}",
            hint=dialect.header_hint(names, wanted or COLUMNS, options)
            or "every column needs a name of its own: rename or drop one",
        )
    return names


def _header(path: Path, ending: str, options: ReadOptions) -> list[str]:
    with opened(path, options) as lines:
        header = next(table_records(lines, str(path), _dialect(ending, options)), None)
    if header is None:
        raise UserError(f"{path} has no header", hint=f"is it a {ending} file?")
    if not isinstance(header, Record):
        dialect.refuse_other_encoding(path, options)
        raise UserError(f"{path} has no usable header, {header}", hint=f"is it a {ending} file, saved as UTF-8?")
    dialect.refuse_other_separator(path, header.fields, dialect.separator_of(ending, options), options)
    return named_columns(header.fields)


def _keys(path: Path, ending: str, options: ReadOptions, wanted: Sequence[str]) -> list[str]:
    keys: dict[str, None] = {}
    missing = list(wanted)
    for row in text_rows(path, ending, options):
        if isinstance(row, Row):
            keys |= dict.fromkeys(row.values)
            missing = [name for name in missing if value_at(row.values, name) is None and name not in row.values]
            if wanted and not missing:
                return [*keys, *(name for name in wanted if name not in keys)]
    if not keys:
        raise _no_objects(path, ending)
    return [*keys, *(name for name in wanted if name not in missing and name not in keys)]


def _dialect(ending: str, options: ReadOptions) -> Dialect:
    is_typed = options.quoting != "auto"
    return Dialect(dialect.separator_of(ending, options), dialect.quoting_of(ending, options), options.columns, is_typed)


def column_types(path: Path, ending: str) -> pa.Schema:
    """Return the schema that a parquet or arrow file carries."""
    with readable(path, ending):
        if ending == ".parquet":
            return pq.read_schema(path)
        with pa.OSFile(str(path)) as handle:
            return (ipc.open_file if is_ipc_file(path) else ipc.open_stream)(handle).schema


def stored_label_names(path: Path, column: str, options: ReadOptions = PLAIN) -> list[str] | None:
    """Return the names that `datasets` keeps in a parquet or arrow file for the numbers of a label; None without any."""
    ending = file_format(path, options)
    if ending in TEXT_FORMATS:
        return None
    try:
        stored = json.loads((column_types(path, ending).metadata or {})[b"huggingface"])
        return [str(name) for name in stored["info"]["features"][column]["names"]]
    except (ValueError, KeyError, TypeError):
        return None


def count_rows(path: Path, options: ReadOptions = PLAIN) -> int | None:
    """Count the lines of a text file: exact but for quoted line breaks and bad rows. None for arrow and json files."""
    ending = file_format(path, options)
    if ending == ".parquet":
        with readable(path, ending):
            return pq.read_metadata(path).num_rows
    if ending in (".arrow", ".json"):
        return None
    with opened(path, options) as lines:
        rows = sum(1 for line in lines if line.strip())
    return rows - (ending != ".jsonl" and not options.columns)


def has_rows(path: Path, options: ReadOptions = PLAIN) -> bool:
    """Tell whether there is a row, usable or not."""
    ending = file_format(path, options)
    if ending in TEXT_FORMATS:
        return next(text_rows(path, ending, options), None) is not None
    with readable(path, ending):
        return any(batch.num_rows for batch, _ in (parquet_batches if ending == ".parquet" else ipc_batches)(path))


def is_ipc_file(path: Path) -> bool:
    """Return whether it is Arrow's file format, which begins with these bytes; `datasets` writes the stream format."""
    with path.open("rb") as handle:
        return handle.read(6) == b"ARROW1"


@contextmanager
def readable(path: Path, ending: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path} cannot be read as {ending.removeprefix('.')}: {reason}",
            hint="is the file complete, and does its ending name its format?",
        ) from error


class RowReader:
    """Iterates the rows of one file; a row that cannot be read comes as a BadRow, among the others.

    `fraction_read` says how far it has come, between 0 and 1. Raises UserError, before the first row, for a file that cannot
    be read, or that is written in another way than the options say.
    """

    def __init__(self, path: Path, options: ReadOptions = PLAIN) -> None:
        self.path, self.options = path, options
        self.fraction_read = 0.0
        refuse_unreadable(path, options)

    def __iter__(self) -> Iterator[Row | BadRow]:
        ending = file_format(self.path, self.options)
        self.fraction_read = 0.0
        yield from text_rows(self.path, ending, self.options, self) if ending in TEXT_FORMATS else self._arrow_rows(ending)
        self.fraction_read = 1.0

    def _arrow_rows(self, ending: str) -> Iterator[Row | BadRow]:
        before = 0
        batches = parquet_batches(self.path) if ending == ".parquet" else ipc_batches(self.path)
        while True:
            with readable(self.path, ending):
                batch, fraction_read = next(batches, (None, 1.0))
            if batch is None:
                return
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield from batch_rows(batch.slice(start, BATCH_ROWS), str(self.path), before + start)
            before += batch.num_rows
            self.fraction_read = fraction_read


def refuse_unreadable(path: Path, options: ReadOptions) -> None:
    """Raise UserError for a file that would be read wrongly: a text file is looked through as a whole."""
    ending = file_format(path, options)
    if ending in TEXT_FORMATS:
        dialect.refuse_other_encoding(path, options)
    if ending in (".csv", ".tsv"):
        column_names(path, options)
        dialect.refuse_other_quoting(path, ending, options)
        if options.columns:
            with opened(path, options) as lines:
                dialect.refuse_header(path, table_records(lines, str(path), _dialect(ending, options)), options)
    elif ending in TEXT_FORMATS:
        if not any(isinstance(row, Row) for row in text_rows(path, ending, options)):
            raise _no_objects(path, ending)
    else:
        column_names(path, options)


def _no_objects(path: Path, ending: str) -> UserError:
    what = "no line that is a JSON object" if ending == ".jsonl" else "no JSON object"
    return UserError(f"{path} has {what}", hint=f"is it a {ending} file?")


def text_rows(path: Path, ending: str, options: ReadOptions, reader: RowReader | None = None) -> Iterator[Row | BadRow]:
    """Yield the rows of a text file, and tell the `reader` how far it has come."""
    with opened(path, options) as lines:
        for number, row in enumerate(_parsed(lines, str(path), ending, options)):
            if reader is not None and number % BATCH_ROWS == 0:
                reader.fraction_read = lines.fraction_read
            yield row


def _parsed(lines: Lines, file: str, ending: str, options: ReadOptions) -> Iterator[Row | BadRow]:
    if ending == ".jsonl":
        return json_rows(lines, file)
    return array_rows(lines, file) if ending == ".json" else table_rows(lines, file, _dialect(ending, options))


def parquet_batches(path: Path) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Yield batches and the fraction read, page by page: pre_buffer, on by default, would hold every row group."""
    with pq.ParquetFile(path, buffer_size=PARQUET_BUFFER_BYTES, pre_buffer=False) as file:
        rows_read = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            rows_read += batch.num_rows
            yield batch, rows_read / file.metadata.num_rows if rows_read else 0.0


def ipc_batches(path: Path) -> Iterator[tuple[pa.RecordBatch, float]]:
    """Yield batches and the fraction read. Not memory-mapped: mapped pages would count as memory in use."""
    with pa.OSFile(str(path)) as handle:
        if is_ipc_file(path):
            file = ipc.open_file(handle)
            for index in range(file.num_record_batches):
                yield file.get_batch(index), (index + 1) / file.num_record_batches
        else:
            for batch in ipc.open_stream(handle):
                yield batch, handle.tell() / handle.size()


def batch_rows(batch: pa.RecordBatch, file: str, before: int) -> Iterator[Row | BadRow]:
    """Yield the rows of `batch`, which follow `before` rows. One value without a Python counterpart costs its row only."""
    try:
        values = batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if batch.num_rows > 1:
            for index in range(batch.num_rows):
                yield from batch_rows(batch.slice(index, 1), file, before + index)
        elif isinstance(error, UnicodeDecodeError):
            yield BadRow(file, before + 1, "not UTF-8", shortened(bytes(error.object)))
        else:
            yield BadRow(file, before + 1, "a value that cannot be read", shortened(error))
        return
    for number, row in enumerate(values, start=before + 1):
        yield Row(number, row)
