"""Reads files of sentence pairs in any of five formats, streamed: memory does not grow with the file.

csv follows RFC 4180; tsv is unquoted, so that no cell can hold a tab or a line break. Both have a header.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from paraphrase_lab.data.rows import BadRow, Row, shortened
from paraphrase_lab.data.text_rows import Record, text_header, text_rows
from paraphrase_lab.errors import UserError

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow")
TEXT_FORMATS = (".csv", ".tsv", ".jsonl")
BATCH_ROWS = 1024
PARQUET_BUFFER_BYTES = 2**20


def file_format(path: Path) -> str:
    """Return the ending, one of FORMATS. Raises UserError where there is no such file or no such format."""
    if not path.is_file():
        raise missing_file(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UserError(
            f"{path} has the ending '{path.suffix}', which names no known format",
            valid=f"known endings: {', '.join(FORMATS)}",
            hint="rename the file to the ending that its content has, or convert it",
        )
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty", hint="csv and tsv files begin with a header, jsonl files with an object")
    return ending


def missing_file(path: Path) -> UserError:
    if path.is_dir():
        return UserError(f"{path} is a folder, not a file", valid=f"files end in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        return UserError(f"there is no file {path}", hint=f"the folder {path.parent} does not exist either")
    present = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in FORMATS)
    close = difflib.get_close_matches(path.name, present, n=1)
    return UserError(
        f"there is no file {path}",
        valid=f"data files in {path.parent}: {', '.join(present[:20]) or 'none'}",
        hint=f"did you mean {path.parent / close[0]}?" if close else "",
    )


def column_names(path: Path) -> list[str]:
    """Return the keys of the first object for jsonl. Raises UserError where the file has no columns or two of one name."""
    ending = file_format(path)
    names = text_column_names(path, ending) if ending in TEXT_FORMATS else column_types(path).names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"{path} has more than one column named {', '.join(map(repr, twice))}",
            valid=f"its columns: {', '.join(names)}",
            hint="every column needs a name of its own: rename or drop one",
        )
    return names


def text_column_names(path: Path, ending: str) -> list[str]:
    with opened(path) as handle:
        header = text_header(handle, str(path), ending)
    if header is None:
        missing = "no line that is a JSON object" if ending == ".jsonl" else "no header"
        raise UserError(f"{path} has {missing}", hint=f"is it a {ending} file?")
    if not isinstance(header, Record):
        raise UserError(f"{path} has no usable header, {header}", hint=f"is it a {ending} file, saved as UTF-8?")
    return header.fields


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    try:
        handle = path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be opened: {error.strerror}") from error
    with handle:
        yield handle


def column_types(path: Path) -> pa.Schema:
    """Return the schema that a parquet or arrow file carries."""
    with readable(path):
        if path.suffix.lower() == ".parquet":
            return pq.read_schema(path)
        with pa.OSFile(str(path)) as handle:
            return (ipc.open_file if is_ipc_file(path) else ipc.open_stream)(handle).schema


def is_ipc_file(path: Path) -> bool:
    """Return whether it is Arrow's file format, which begins with these bytes; `datasets` writes the stream format."""
    with path.open("rb") as handle:
        return handle.read(6) == b"ARROW1"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path} cannot be read as {path.suffix.lower().removeprefix('.')}: {reason}",
            hint="is the file complete, and does its ending name its format?",
        ) from error


class RowReader:
    """Iterates the rows of one file; a row that cannot be read comes as a BadRow, among the others.

    `fraction_read` says how far it has come, between 0 and 1. Raises UserError at once for a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns = column_names(path)
        self.fraction_read = 0.0

    def __iter__(self) -> Iterator[Row | BadRow]:
        ending = file_format(self.path)
        self.fraction_read = 0.0
        yield from self._text_rows(ending) if ending in TEXT_FORMATS else self._arrow_rows(ending)
        self.fraction_read = 1.0

    def _text_rows(self, ending: str) -> Iterator[Row | BadRow]:
        size_bytes = self.path.stat().st_size
        with opened(self.path) as handle:
            for number, row in enumerate(text_rows(handle, str(self.path), ending)):
                if number % BATCH_ROWS == 0:
                    self.fraction_read = handle.tell() / size_bytes
                yield row

    def _arrow_rows(self, ending: str) -> Iterator[Row | BadRow]:
        before = 0
        batches = parquet_batches(self.path) if ending == ".parquet" else ipc_batches(self.path)
        while True:
            with readable(self.path):
                batch, fraction_read = next(batches, (None, 1.0))
            if batch is None:
                return
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield from batch_rows(batch.slice(start, BATCH_ROWS), str(self.path), before + start)
            before += batch.num_rows
            self.fraction_read = fraction_read


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


def require_columns(path: Path, wanted: Sequence[str], *, hint: str = "") -> list[str]:
    """Return the columns of the file. Raises UserError where one of `wanted` is not among them."""
    present = column_names(path)
    missing = [name for name in wanted if name not in present]
    if not missing:
        return present
    pairs: list[tuple[str, Any]] = [(name, difflib.get_close_matches(name, present, n=1)) for name in missing]
    meant = [f"did you mean '{close[0]}' for '{name}'?" for name, close in pairs if close]
    raise UserError(
        f"{path} has no column {' and no column '.join(map(repr, missing))}",
        valid=f"its columns: {', '.join(present)}",
        hint=" ".join([*meant, *([hint] if hint else [])]),
    )
