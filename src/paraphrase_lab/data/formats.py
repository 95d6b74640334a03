"""The format of a file: what a key says, else its ending, else its content."""

import difflib
import json
from pathlib import Path

from paraphrase_lab.data.opening import PACKED_ENDINGS, head, refuse_other_contents
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.errors import UserError

ENDINGS = {
    ".csv": ".csv", ".tsv": ".tsv", ".tab": ".tsv", ".jsonl": ".jsonl", ".ndjson": ".jsonl", ".json": ".json",
    ".parquet": ".parquet", ".arrow": ".arrow", ".feather": ".arrow",
}  # fmt: skip
"""What the ending of a file says of its format; .gz, .bz2, .xz or .zst may follow those of text."""
FORMATS = tuple(ENDINGS)
TEXT_FORMATS = (".csv", ".tsv", ".jsonl", ".json")
ARROW_STREAM = b"\xff\xff\xff\xff"


def named_format(path: Path) -> str | None:
    """Return what the ending says, one of the values of ENDINGS; None where it says nothing."""
    name = path.name.lower()
    ending = next((one for one in PACKED_ENDINGS if name.endswith(one)), "")
    found = ENDINGS.get(Path(name.removesuffix(ending)).suffix)
    return found if not ending or found in TEXT_FORMATS else None


def file_format(path: Path, options: ReadOptions) -> str:
    """Return .csv, .tsv, .jsonl, .json, .parquet or .arrow. Raises UserError where there is no such file or format."""
    if not path.is_file():
        raise missing_file(path)
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty", hint="csv and tsv files begin with a header, jsonl files with an object")
    if options.format:
        return f".{options.format}"
    named = named_format(path)
    if named in (".parquet", ".arrow"):
        return named
    start = head(path)
    if named is None and (binary := _binary(start)):
        return binary
    refuse_other_contents(path, options)
    return _json_kind(start, named) if named in (None, ".json", ".jsonl") and _is_json(start, named) else _table(start, named)


def _binary(start: bytes) -> str | None:
    if start.startswith(b"PAR1"):
        return ".parquet"
    return ".arrow" if start.startswith((b"ARROW1", ARROW_STREAM)) else None


def _is_json(start: bytes, named: str | None) -> bool:
    return named is not None or start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _json_kind(start: bytes, named: str | None) -> str:
    """Tell an array, or one object for the whole file, from an object a line."""
    first_line, _, others = start.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if named == ".jsonl":
        return ".json" if first_line.strip() == b"[" or first_line.startswith(b"[{") else named
    if first_line.startswith(b"["):
        return ".json"
    try:
        values = json.loads(first_line).values()
    except ValueError:
        return ".json"
    return ".json" if not others.strip() and all(isinstance(value, dict | list) for value in values) else ".jsonl"


def _table(start: bytes, named: str | None) -> str:
    if named:
        return named
    return ".tsv" if b"\t" in start.lstrip().split(b"\n", 1)[0] else ".csv"


def missing_file(path: Path) -> UserError:
    if path.is_dir():
        return UserError(f"{path} is a folder, not a file", valid=f"files end in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        return UserError(f"there is no file {path}", hint=f"the folder {path.parent} does not exist either")
    present = sorted(entry.name for entry in path.parent.iterdir() if named_format(entry))
    close = difflib.get_close_matches(path.name, present, n=1)
    return UserError(
        f"there is no file {path}",
        valid=f"data files in {path.parent}: {', '.join(present[:20]) or 'none'}",
        hint=f"did you mean {path.parent / close[0]}?" if close else "",
    )
