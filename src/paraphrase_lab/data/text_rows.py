"""Streams csv, tsv, jsonl and json from lines of bytes, so that one broken line costs one row and not the file."""

import csv
import json
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from paraphrase_lab.data.rows import BadRow, Row, shortened
from paraphrase_lab.data.stray_quotes import StrayQuotes
from paraphrase_lab.errors import UserError

# The default is 128 KiB. Without any limit, a quote that is never closed would read the whole file.
FIELD_CHARACTERS = 16 * 2**20
CSV_PROBLEMS = {
    "unexpected end of data": "a quote is never closed",
    "field larger than field limit": f"a quote is not closed within {FIELD_CHARACTERS:,} characters",
    "new-line character seen in unquoted field": "line ends of old Macs (CR alone), or a carriage return outside quotes",
}


class Record(NamedTuple):
    line: int
    fields: list[str]


class Dialect(NamedTuple):
    """`quoting` is none, standard, backslash or single; `columns` are those of a file without a header."""

    separator: str
    quoting: str
    columns: Sequence[str] = ()
    is_typed: bool = False
    """Somebody has chosen the quoting: quotes that join whole rows are meant."""


def table_records(lines: Iterable[bytes], file: str, dialect: Dialect) -> Iterator[Record | BadRow]:
    """Yield the header first, whether it stands in the file or not. Skips blank lines."""
    if dialect.columns:
        yield Record(0, list(dialect.columns))
    split = plain_records if dialect.quoting == "none" else csv_records
    yield from split(lines, file, dialect)


def table_rows(lines: Iterable[bytes], file: str, dialect: Dialect) -> Iterator[Row | BadRow]:
    """Yield the rows under the header. Columns without a name at its end are left out, as Excel writes them."""
    records = table_records(lines, file, dialect)
    header = next(records, None)
    if not isinstance(header, Record):
        return
    names, width = named_columns(header.fields), len(header.fields)
    for record in records:
        if isinstance(record, BadRow):
            yield record
        elif len(record.fields) == width or (len(record.fields) >= len(names) and not any(record.fields[len(names) :])):
            yield Row(record.line, dict(zip(names, record.fields, strict=False)))
        else:
            expected = f"{width} columns are named" if dialect.columns else f"the header has {width}"
            problem = f"ragged line: {len(record.fields)} fields, {expected}"
            yield BadRow(file, record.line, problem, shortened(dialect.separator.join(record.fields)))


def named_columns(header: list[str]) -> list[str]:
    """Return the header up to its last column with a name."""
    width = max((place for place, name in enumerate(header, start=1) if name.strip()), default=0)
    return header[:width]


def numbered_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, start=1):
        yield number, line.removeprefix(BOM_UTF8) if number == 1 else line


def plain_records(lines: Iterable[bytes], file: str, dialect: Dialect) -> Iterator[Record | BadRow]:
    """Read every line as one record: quotes are ordinary characters (PAWS files are not quoted)."""
    for number, line in numbered_lines(lines):
        if content := line.removesuffix(b"\n").removesuffix(b"\r"):
            text = as_utf8(content)
            if text is None:
                yield BadRow(file, number, "not UTF-8", shortened(content))
            else:
                yield Record(number, text.split(dialect.separator))


def csv_records(lines: Iterable[bytes], file: str, dialect: Dialect) -> Iterator[Record | BadRow]:
    """Read RFC 4180: quoted fields may hold line breaks, a doubled quote stands for one."""
    csv.field_size_limit(FIELD_CHARACTERS)
    feed = LineFeed(lines)
    quote = "'" if dialect.quoting == "single" else '"'
    escape = "\\" if dialect.quoting in ("backslash", "single") else None
    stray = None if dialect.is_typed or quote == "'" else StrayQuotes(dialect.separator)
    if stray and dialect.columns:
        stray.swallows([b""], dialect.columns)
    reader = csv.reader(feed, delimiter=dialect.separator, quotechar=quote, escapechar=escape, strict=True)
    while True:
        feed.taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            number, line = feed.taken[0]
            yield BadRow(file, number, csv_problem(str(error)), shortened(line.rstrip(b"\r\n")))
            feed.again.extendleft(reversed(feed.taken[1:]))  # what a stray quote swallowed
            continue
        if fields is None:
            return
        if stray and fields and stray.swallows([line for _, line in feed.taken], fields):
            (number, line), (last, _) = feed.taken[0], feed.taken[-1]
            problem = f"a quote opens here and closes in line {last}, over whole rows; quoting=none takes quotes for characters"
            yield BadRow(file, number, problem, shortened(line.rstrip(b"\r\n")))
            feed.again.extendleft(reversed(feed.taken[1:]))
            continue
        undecodable = next((line for _, line in feed.taken if as_utf8(line) is None), None)
        if undecodable is not None:
            yield BadRow(file, feed.taken[0][0], "not UTF-8", shortened(undecodable.rstrip(b"\r\n")))
        elif fields:
            yield Record(feed.taken[0][0], fields)


def csv_problem(message: str) -> str:
    if "expected after" in message:
        return "text after a closing quote"
    return next((text for start, text in CSV_PROBLEMS.items() if message.startswith(start)), message)


class LineFeed:
    """Lines for csv.reader, those of `again` first. Keeps what it has `taken` for the current record."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.taken: list[tuple[int, bytes]] = []
        self.again: deque[tuple[int, bytes]] = deque()
        self._lines = numbered_lines(lines)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        numbered = self.again.popleft() if self.again else next(self._lines)
        self.taken.append(numbered)
        return numbered[1].decode("utf-8", "surrogateescape")


def as_utf8(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


DECODER = json.JSONDecoder(parse_constant=lambda name: None)
"""NaN and Infinity are no JSON, but `json.dumps` writes them for values that are missing: None."""


def json_rows(lines: Iterable[bytes], file: str) -> Iterator[Row | BadRow]:
    """Yield one object a line; rows may have different keys."""
    for number, line in numbered_lines(lines):
        if line.strip():
            value = json_object(line)
            yield Row(number, value) if isinstance(value, dict) else BadRow(file, number, value, shortened(line.strip()))


def json_object(line: bytes) -> dict[str, Any] | str:
    """Return the object, or what is wrong with the line."""
    text = as_utf8(line)
    if text is None:
        return "not UTF-8"
    try:
        value = DECODER.decode(text)
        if "\\ud" in text.lower():  # the decoder lets half of a surrogate pair pass, which no file can hold
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "not Unicode: half of a surrogate pair"
    except (ValueError, RecursionError):
        return "not valid JSON"
    return value if isinstance(value, dict) else "not a JSON object"


def array_rows(lines: Iterable[bytes], file: str) -> Iterator[Row | BadRow]:
    """Yield the objects of one JSON array, which is held in memory. Raises UserError where the text is no array."""
    try:
        text = b"".join(lines).removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8: {error.reason} at byte {error.start:,}") from error
    place = len(text) - len(text.lstrip())
    if text[place : place + 1] != "[":
        valid = "an array of objects, or one object a line"
        raise UserError(f"{file} holds one JSON object, not rows", valid=valid, hint='pandas writes them with orient="records"')
    line, counted = 1, 0
    place = _next_item(text, place + 1)
    while text[place : place + 1] != "]":
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, place = DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file}:{line}: not valid JSON: {shortened(text[place:].strip())!r}") from error
        yield Row(line, value) if isinstance(value, dict) else BadRow(file, line, "not a JSON object", shortened(value))
        place = _next_item(text, place)


def _next_item(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    return place
