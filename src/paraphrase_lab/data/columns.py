"""The columns of sentences and labels: are they there, and if not, which ones does the header suggest?"""

import difflib
import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paraphrase_lab.data import dialect
from paraphrase_lab.data.files import PLAIN, column_names, column_types
from paraphrase_lab.data.formats import TEXT_FORMATS, file_format
from paraphrase_lab.data.options import ReadOptions, typed_key
from paraphrase_lab.errors import UserError

KEYS = ("sentence1", "sentence2", "label")
TWO_OF_A_KIND = (("1", "2"), ("a", "b"), ("first", "second"), ("left", "right"), ("0", "1"))
OTHER_PAIRS = (
    ("premise", "hypothesis"),
    ("text", "paraphrase"),
    ("source", "target"),
    ("anchor", "positive"),
    ("query", "passage"),
)
LABELS = (
    "label", "labels", "isduplicate", "duplicate", "isparaphrase", "paraphrase", "quality", "goldlabel", "gold", "same",
    "issame", "isdup", "dup", "class", "target", "y", "judgement", "judgment", "relation", "score", "similarity", "equivalent",
)  # fmt: skip
NAME = "NAME"
"""Stands for a column of labels that the header does not show."""
NUMBER = re.compile(r"^$|^(id|idx|index|num)|id\d?$")
NO_SENTENCE = re.compile(r"(^|q)id|id\d?$|num|length|score|pars|label")


def require_columns(path: Path, wanted: Sequence[str], options: ReadOptions = PLAIN) -> list[str]:
    """Return the columns of the file. Raises UserError where one of `wanted`, two sentences and perhaps a label, is missing."""
    ending = file_format(path, options)
    present = column_names(path, options, wanted)
    missing = [name for name in wanted if name not in present and not is_inside(path, name, options)]
    if not missing:
        return present
    if ending in (".csv", ".tsv"):
        dialect.refuse_other_quoting(path, ending, options)
    raise UserError(
        f"{path} has no column {' and no column '.join(map(repr, missing))}",
        valid=f"its columns: {', '.join(present)}",
        hint=_hint(present, wanted, missing, options, is_table=ending in (".csv", ".tsv")),
    )


def is_inside(path: Path, name: str, options: ReadOptions = PLAIN) -> bool:
    """Tell whether a path with dots leads into a nested column of a parquet or arrow file."""
    ending = file_format(path, options)
    if ending in TEXT_FORMATS or "." not in name:
        return False
    kind: Any = column_types(path, ending)
    for part in name.split("."):
        if part.isdigit() and hasattr(kind, "value_type"):
            kind = kind.value_type
        elif part in getattr(kind, "names", ()):
            kind = kind.field(part).type
        else:
            return False
    return True


def _hint(present: list[str], wanted: Sequence[str], missing: list[str], options: ReadOptions, *, is_table: bool) -> str:
    if is_table and (said := dialect.header_hint(present, wanted, options)):
        return said
    if suggested := suggested_columns(present, wanted, options):
        return suggested
    close = [(name, difflib.get_close_matches(name, present, n=1)) for name in missing]
    meant = [f"did you mean '{found[0]}' for '{name}'?" for name, found in close if found]
    names = "--columns A B" if options.flags else " ".join(f"data.{key}=NAME" for key in KEYS[: len(wanted)])
    return " ".join([*meant, f"{names} names the columns"])


def suggested_columns(present: Iterable[str], wanted: Sequence[str], options: ReadOptions) -> str:
    """Return what to type for the columns that the names suggest; empty where they suggest none."""
    present = list(present)
    label = wanted[2] if len(wanted) == 3 and wanted[2] in present else ""
    guessed = guessed_columns(present, len(wanted), label)
    if not guessed or (guessed[-1] == NAME and guessed[:2] == list(wanted[:2])):
        return ""
    fits = f"{typed_columns(guessed, wanted, options)} would fit the header"
    return f"{fits}, {NAME} being the column of the labels" if guessed[-1] == NAME else fits


def typed_columns(names: Sequence[str], wanted: Sequence[str], options: ReadOptions) -> str:
    """Return what to type for the columns of sentences and label; a column that has its name already is left out."""
    if options.flags:
        return shlex.join(["--columns", *names[:2]])
    pairs = zip(KEYS, names, wanted, strict=False)
    return " ".join(typed_key(f"data.{key}", name) for key, name, now in pairs if name != now)


def guessed_columns(present: Iterable[str], count: int, label: str = "") -> list[str]:
    """Return the columns of two sentences, and of a label with a count of 3, by their names; empty where that is unclear.

    The label is `label`, else a column with the name of one, else the only other column; NAME where there are several.
    """
    names = {name: _plain(name) for name in present}
    by_plain = {plain: name for name, plain in reversed(names.items())}
    label = label or next((by_plain[plain] for plain in LABELS if plain in by_plain), "")
    label = label or next((name for name, plain in names.items() if plain.endswith("label")), "")
    pairs = [
        (name, other)
        for name, plain in names.items()
        for one, two in TWO_OF_A_KIND
        if one in plain and (other := by_plain.get(two.join(plain.rsplit(one, 1)))) not in (None, name)
    ]
    pairs += [(by_plain[one], by_plain[two]) for one, two in OTHER_PAIRS if one in by_plain and two in by_plain]
    pairs = [pair for pair in pairs if label not in pair]
    # Of `#1 ID` and `#1 String`, the numbers are no sentences.
    texts = [pair for pair in pairs if not any(NO_SENTENCE.search(names[one]) for one in pair)]
    if not texts:
        return []
    return [*texts[0], label or _only_other(names, texts[0])] if count == 3 else list(texts[0])


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).lower())


def _only_other(names: Mapping[str, str], pair: Sequence[str]) -> str:
    others = [name for name in names if name not in pair]
    if len(others) > 1:
        others = [name for name in others if not NUMBER.search(names[name])]
    return others[0] if len(others) == 1 else NAME
