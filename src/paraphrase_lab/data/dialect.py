"""Finds out whether a text file is written in another way than it would be read: quotes, separators, encoding.

Such a file is refused with the option that reads it. Nothing is guessed: pairs read in the wrong way would look right.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from paraphrase_lab.data.opening import opened
from paraphrase_lab.data.options import DELIMITERS, ReadOptions
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.data.text_rows import Record
from paraphrase_lab.errors import UserError

SAMPLE_LINES = 50
ENOUGH_LINES = 3
YES_OR_NO = ("0", "1", "0.0", "1.0", "true", "false", "yes", "no")
WORDS_OF_A_SENTENCE = 3
_QUOTED = re.compile(r'"(?:[^"\\]|\\.|"")*"')
_OPEN = re.compile(r'"(?:[^"\\]|\\.|"")*')


def separator_of(ending: str, options: ReadOptions) -> str:
    return options.separator or ("\t" if ending == ".tsv" else ",")


def quoting_of(ending: str, options: ReadOptions) -> str:
    """Return none, standard, backslash or single."""
    if options.quoting != "auto":
        return options.quoting
    return "none" if separator_of(ending, options) == "\t" else "standard"


def refuse_other_separator(path: Path, header: list[str], separator: str, options: ReadOptions) -> None:
    """Raise UserError where a header of one column is one of several, divided by something else."""
    if len(header) != 1 and not (len(header) == 2 and any(header[1].count(sign) >= 2 for sign in ";\t|")):
        return
    joined = separator.join(header)
    counts = {name: joined.count(character) for name, character in DELIMITERS.items() if character != separator}
    name = max(counts, key=lambda one: counts[one])
    if counts[name]:
        raise UserError(
            f"{path} has {'one column' if len(header) == 1 else 'two columns'} only, '{joined}'",
            hint=f"its columns are divided by a {name}: {options.typed('delimiter', name)} reads it",
        )


def refuse_other_quoting(path: Path, ending: str, options: ReadOptions) -> None:
    """Raise UserError where cells are quoted in another way than `quoting` auto takes for granted. Reads the whole file."""
    if options.quoting != "auto":
        return
    separator = separator_of(ending, options)
    if _in_single_quotes(path, separator, options):
        raise UserError(
            f"the cells of {path} stand in single quotes",
            hint=f"{options.typed('quoting', 'single')} reads them; {options.typed('quoting', 'none')} keeps the quotes",
        )
    place, way = _quoted_tsv(path, options) if separator == "\t" else _backslashes(path, separator, options)
    if way:
        kept = f"; {options.typed('quoting', 'none')} keeps the quotes as characters" if separator == "\t" else ""
        how = "its cells are quoted" if way == "standard" else "its quotes are escaped by backslashes"
        raise UserError(f"{path}:{place}: {how}", hint=f"{options.typed('quoting', way)} reads such a file{kept}")


def refuse_other_encoding(path: Path, options: ReadOptions) -> None:
    """Raise UserError where no line with other than ASCII letters is in the encoding that it would be read in."""
    is_utf8 = options.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
    if options.encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")):
        return
    fits = others = 0
    has_c1 = False
    with opened(path, ReadOptions()) as lines:
        for line in lines:
            if line.isascii():
                continue
            try:
                line.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
                fits += 1
            except UnicodeDecodeError:
                others += 1
                has_c1 = has_c1 or any(0x80 <= byte < 0xA0 for byte in line)
    if is_utf8 and others > 1 and not fits:
        name = "cp1252" if has_c1 else "latin-1"
        raise UserError(
            f"{path} is not in UTF-8: none of its {others:,} lines with accents or other signs is",
            hint=f"{options.typed('encoding', name)} reads it where it is Western European; "
            "others: cp1250, cp1251, gb18030, shift_jis",
        )
    if not is_utf8 and fits > 1 and not others and options.encoding.lower() not in ("gb18030", "gbk", "big5", "shift_jis"):
        raise UserError(f"{path} is in UTF-8, not {options.encoding}", hint=f"{options.typed('encoding', 'utf-8')} reads it")


def _text_lines(path: Path, options: ReadOptions) -> Iterator[tuple[int, str]]:
    with opened(path, options) as lines:
        for number, line in enumerate(lines, start=1):
            text = line.decode("utf-8", "surrogateescape")
            yield number, (text.removeprefix("\ufeff") if number == 1 else text).rstrip("\r\n")


def _in_single_quotes(path: Path, separator: str, options: ReadOptions) -> bool:
    mark = re.escape(separator)
    cell = re.compile(rf"(?:^|{mark})'(?:[^']|''|\\')*'(?={mark}|$)")
    body = []
    is_header = not options.columns
    for _, line in _text_lines(path, options):
        if not line:
            continue
        quoted = len(cell.findall(line))
        if is_header:
            is_header = False
            if quoted == line.count(separator) + 1:
                return True
            continue
        body.append(quoted > 0)
        if not quoted or len(body) >= SAMPLE_LINES:
            break
    return len(body) >= ENOUGH_LINES and all(body)


def _quoted_tsv(path: Path, options: ReadOptions) -> tuple[int, str]:
    """Weigh quoted cells against cells that no program which quotes would have written; return a line and the way."""
    for_quotes = against = first = escaped = width = 0
    inside = False  # a cell with a line break
    for number, line in _text_lines(path, options):
        cells = line.split("\t")
        width = width or (len(cells) if line else 0)
        if '"' not in line:
            continue
        if inside:
            inside = _OPEN.fullmatch('"' + cells[0]) is not None and len(cells) == 1
            continue
        quoted = sum(len(cell) > 1 and _QUOTED.fullmatch(cell) is not None for cell in cells)
        inside = len(cells) < width and cells[-1].startswith('"') and not _QUOTED.fullmatch(cells[-1])
        inside = inside and _OPEN.fullmatch(cells[-1]) is not None
        for_quotes += quoted + inside
        against += sum('"' in cell for cell in cells) - quoted - inside
        escaped += sum('\\"' in cell for cell in cells if _QUOTED.fullmatch(cell))
        if not first and (quoted or inside):
            first = number
    return (first, "backslash" if escaped else "standard") if for_quotes > against else (0, "")


def _backslashes(path: Path, separator: str, options: ReadOptions) -> tuple[int, str]:
    """Return a line that can be read with backslashes as escapes only, and the way; (0, "") where there is none."""
    width = 0
    for number, line in _text_lines(path, options):
        width = width or len(_cells(line, separator, None))
        if '\\"' in line and len(_cells(line, separator, None)) != width and len(_cells(line, separator, "\\")) == width:
            return number, "backslash"
    return 0, ""


def _cells(line: str, separator: str, escape: str | None) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, escapechar=escape, strict=True), [])
    except csv.Error:
        return []


def header_hint(header: list[str], wanted: Sequence[str], options: ReadOptions) -> str:
    """Return what to type where the header looks like a pair, which is the first one then; else an empty text."""
    if options.columns or not (columns := _columns_of_a_row(header, wanted)):
        return ""
    return f"the first line looks like a pair, not like a header: {options.typed('columns', columns)} names the columns"


def refuse_header(path: Path, records: Iterable[Record | BadRow], options: ReadOptions) -> None:
    """Raise UserError where the first line of a file without a header looks like one: names, above sentences.

    Args:
        records: the columns, then the lines.
    """
    first, *others = [one.fields for one in islice(records, 1, 1 + SAMPLE_LINES) if isinstance(one, Record)] or [[]]
    if not others:
        return
    is_names = all(re.fullmatch(r"[^\W\d][\w.-]*", cell.strip()) for cell in first) and len(set(first)) == len(first)
    columns = list(zip(*others, strict=False))
    is_repeated = any(name in column for name, column in zip(first, columns, strict=False))
    sentences = sum(2 * sum(" " in cell.strip() for cell in column) > len(column) for column in columns)
    if is_names and not is_repeated and sentences >= 2:
        raise UserError(
            f"{path}:1: this line looks like a header, and would be read as a pair: {', '.join(first)}",
            hint=f"{options.usual('columns')} reads it as one; take the line out where it is none",
        )


def _columns_of_a_row(cells: list[str], wanted: Sequence[str]) -> list[str]:
    """Return names for the columns where the line holds two sentences instead of names of columns."""
    sentences = [place for place, cell in enumerate(cells) if len(cell.split()) >= WORDS_OF_A_SENTENCE]
    if len(sentences) < 2:
        return []
    longest = sorted(sorted(sentences, key=lambda place: -len(cells[place]))[:2])
    others = [place for place in range(len(cells)) if place not in longest]
    labels = [place for place in others if cells[place].strip().lower() in YES_OR_NO]
    if len(wanted) == 3 and not others:
        return []
    names = {longest[0]: wanted[0], longest[1]: wanted[1]}
    if len(wanted) == 3:
        names[(labels or others)[-1]] = wanted[2]
    return [names.get(place, f"column{place + 1}") for place in range(len(cells))]
