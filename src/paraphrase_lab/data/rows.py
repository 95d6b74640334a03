"""The rows of a data file, and in their place rows that cannot be used, named by file and line."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from paraphrase_lab.errors import BadRowsError

SKIP_HINT = "data.on_bad_rows=skip leaves them out and lists them in bad_rows.csv"
VALUE_CHARACTERS = 80
_BLANK = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]*")


class Row(NamedTuple):
    """`line` counts from 1: the line where the record starts in text formats, the row number in parquet and arrow."""

    line: int
    values: dict[str, Any]


class BadRow(NamedTuple):
    """`value` is the offending text, at most 80 characters of it."""

    file: str
    line: int
    problem: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}: {self.value!r}"


def value_at(values: Mapping[str, Any], name: str) -> Any:
    """Return the value of a column, or of a field inside one by a path with dots, as in `pair.0.text`; None without one."""
    if name in values or "." not in name:
        return values.get(name)
    value: Any = values
    for part in name.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def as_text(value: Any) -> Any:
    """Return bytes, as Spark and TFDS write texts into parquet, decoded where they are UTF-8; all else as it is."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def is_blank(text: str) -> bool:
    """Tell whether a sentence has no sign but blanks, those of no width among them."""
    return _BLANK.fullmatch(text) is not None


def shortened(value: object) -> str:
    """Return `value` as text that can be printed and written: bytes outside UTF-8 appear as \\xNN, long text is cut."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 3] + "..."


def bad_rows_error(bad_rows: Iterable[BadRow], *, limit: int = 20, hint: str = SKIP_HINT) -> BadRowsError:
    """Return the error that lists the first `limit` rows and counts all of them; `bad_rows` is consumed without being held."""
    remaining = iter(bad_rows)
    first = list(islice(remaining, limit))
    unlisted = sum(1 for _ in remaining)
    count = len(first) + unlisted
    lines = [f"{count:,} row{'s' if count > 1 else ''} cannot be used:", *(f"  {row}" for row in first)]
    if unlisted:
        lines.append(f"  and {unlisted:,} more")
    return BadRowsError("\n".join(lines), hint=hint)


def write_bad_rows(path: Path, bad_rows: Iterable[BadRow]) -> None:
    """Write a csv file with the columns file, line, problem and value."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(chain([BadRow._fields], bad_rows))


def list_bad_rows(directory: Path, bad_rows: Sequence[BadRow]) -> str:
    """Write bad_rows.csv into the directory; return a sentence that names it."""
    path = directory / "bad_rows.csv"
    write_bad_rows(path, bad_rows)
    return f"{len(bad_rows):,} row{'s' if len(bad_rows) > 1 else ''} could not be used: see {path}"
