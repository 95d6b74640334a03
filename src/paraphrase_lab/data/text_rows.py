"""Streams csv, tsv and jsonl from bytes, line by line, so that one broken line costs one row and not the file."""

import csv
import json
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn

from paraphrase_lab.data.rows import BadRow, Row, shortened

# The default is 128 KiB. Without any limit, a quote that is never closed would read the whole file.
FIELD_CHARACTERS = 16 * 2**20
CSV_PROBLEMS = {
    "unexpected end of data": "a quote is never closed",
    "field larger than field limit": f"a quote is not closed within {FIELD_CHARACTERS:,} characters",
    "',' expected after '\"'": "text after a closing quote",
    "new-line character seen in unquoted field": "carriage return outside quotes",
}


class Record(NamedTuple):
    line: int
    fields: list[str]


def text_header(handle: BinaryIO, file: str, ending: str) -> Record | BadRow | None:
    """Return the header of csv and tsv, the keys of the first object of jsonl; None where the file has neither."""
    if ending != ".jsonl":
        return next(RECORDS[ending](handle, file), None)
    return next((Record(row.line, list(row.values)) for row in json_rows(handle, file) if isinstance(row, Row)), None)


def text_rows(handle: BinaryIO, file: str, ending: str) -> Iterator[Row | BadRow]:
    if ending == ".jsonl":
        yield from json_rows(handle, file)
        return
    records = RECORDS[ending](handle, file)
    header = next(records, None)
    if not isinstance(header, Record):
        return
    for record in records:
        if isinstance(record, BadRow):
            yield record
        elif len(record.fields) != len(header.fields):
            problem = f"ragged line: {len(record.fields)} fields, the header has {len(header.fields)}"
            separator = "," if ending == ".csv" else "\t"
            yield BadRow(file, record.line, problem, shortened(separator.join(record.fields)))
        else:
            yield Row(record.line, dict(zip(header.fields, record.fields, strict=True)))


def numbered_lines(handle: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(handle, start=1):
        yield number, line.removeprefix(BOM_UTF8) if number == 1 else line


def tsv_records(handle: BinaryIO, file: str) -> Iterator[Record | BadRow]:
    """Read every line as one record: quotes are ordinary characters (PAWS files are not quoted). Skips blank lines."""
    for number, line in numbered_lines(handle):
        if content := line.removesuffix(b"\n").removesuffix(b"\r"):
            text = as_utf8(content)
            yield BadRow(file, number, "not UTF-8", shortened(content)) if text is None else Record(number, text.split("\t"))


def csv_records(handle: BinaryIO, file: str) -> Iterator[Record | BadRow]:
    """Read RFC 4180: quoted fields may hold line breaks, a doubled quote stands for one. Skips blank lines."""
    csv.field_size_limit(FIELD_CHARACTERS)
    feed = LineFeed(handle)
    reader = csv.reader(feed, strict=True)
    while True:
        feed.taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            number, line = feed.taken[0]
            problem = next((text for start, text in CSV_PROBLEMS.items() if str(error).startswith(start)), str(error))
            yield BadRow(file, number, problem, shortened(line.rstrip(b"\r\n")))
            feed.again.extendleft(reversed(feed.taken[1:]))  # what a stray quote swallowed
            continue
        if fields is None:
            return
        undecodable = next((line for _, line in feed.taken if as_utf8(line) is None), None)
        if undecodable is not None:
            yield BadRow(file, feed.taken[0][0], "not UTF-8", shortened(undecodable.rstrip(b"\r\n")))
        elif fields:
            yield Record(feed.taken[0][0], fields)


class LineFeed:
    """Lines for csv.reader, those of `again` first. Keeps what it has `taken` for the current record."""

    def __init__(self, handle: BinaryIO) -> None:
        self.taken: list[tuple[int, bytes]] = []
        self.again: deque[tuple[int, bytes]] = deque()
        self._lines = numbered_lines(handle)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        numbered = self.again.popleft() if self.again else next(self._lines)
        self.taken.append(numbered)
        return numbered[1].decode("utf-8", "surrogateescape")


RECORDS: dict[str, Callable[[BinaryIO, str], Iterator[Record | BadRow]]] = {".csv": csv_records, ".tsv": tsv_records}


def as_utf8(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


decode_json = json.JSONDecoder(parse_constant=reject_constant).decode


def json_rows(handle: BinaryIO, file: str) -> Iterator[Row | BadRow]:
    """Yield one object a line; rows may have different keys."""
    for number, line in numbered_lines(handle):
        if line.strip():
            value = json_object(line)
            yield Row(number, value) if isinstance(value, dict) else BadRow(file, number, value, shortened(line.strip()))


def json_object(line: bytes) -> dict[str, Any] | str:
    """Return the object, or what is wrong with the line."""
    text = as_utf8(line)
    if text is None:
        return "not UTF-8"
    try:
        value = decode_json(text)
        if "\\ud" in text.lower():  # the decoder lets half of a surrogate pair pass, which no file can hold
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "not Unicode: half of a surrogate pair"
    except (ValueError, RecursionError):
        return "not valid JSON"
    return value if isinstance(value, dict) else "not a JSON object"
