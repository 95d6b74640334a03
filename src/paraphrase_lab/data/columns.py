"""The columns of sentences and labels: are they there, and if not, which ones does the header suggest?"""

import difflib
import re
import shlex
from collections.abc import Iterable, Sequence
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
    "issame", "class", "target", "y", "judgement", "judgment", "relation", "score", "similarity", "equivalent",
)  # fmt: skip
NO_SENTENCE = re.compile(r"(^|q)id|id\d?$|num|length|score|pars|label")


def require_columns(path: Path, wanted: Sequence[str], options: ReadOptions = PLAIN) -> list[str]:
    """Return the columns of the file. Raises UserError where one of `wanted`, two sentences and perhaps a label, is missing."""
    ending = file_format(path, options)
    present = column_names(path, options, wanted)
    missing = [name for name in wanted if name not in present and not _is_inside(path, ending, name)]
    if not missing:
        return present
    if ending in (".csv", ".tsv"):
        dialect.refuse_other_quoting(path, ending, options)
    raise UserError(
        f"{path} has no column {' and no column '.join(map(repr, missing))}",
        valid=f"its columns: {', '.join(present)}",
        hint=_hint(present, wanted, missing, options, is_table=ending in (".csv", ".tsv")),
    )


def _is_inside(path: Path, ending: str, name: str) -> bool:
    """Tell whether a path with dots leads into a nested column of a parquet or arrow file."""
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
    if guessed := guessed_columns(present, len(wanted)):
        return f"{typed_columns(guessed, wanted, options)} would fit the header"
    close = [(name, difflib.get_close_matches(name, present, n=1)) for name in missing]
    meant = [f"did you mean '{found[0]}' for '{name}'?" for name, found in close if found]
    names = "--columns A B" if options.flags else " ".join(f"data.{key}=NAME" for key in KEYS[: len(wanted)])
    return " ".join([*meant, f"{names} names the columns"])


def typed_columns(names: Sequence[str], wanted: Sequence[str], options: ReadOptions) -> str:
    """Return what to type for the columns of sentences and label; a label that has its name already is left out."""
    if options.flags:
        return shlex.join(["--columns", *names[:2]])
    pairs = zip(KEYS, names, wanted, strict=False)
    return " ".join(typed_key(f"data.{key}", name) for key, name, now in pairs if name != now)


def guessed_columns(present: Iterable[str], count: int) -> list[str]:
    """Return the columns of two sentences, and of a label with a count of 3, by their names; empty where that is unclear."""
    names = {name: re.sub(r"[\W_]+", "", name.lower()) for name in present}
    by_plain = {plain: name for name, plain in reversed(names.items())}
    label = next((by_plain[plain] for plain in LABELS if plain in by_plain), None)
    if label is None:
        label = next((name for name, plain in names.items() if plain.endswith("label")), None)
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
    if not texts or (count == 3 and label is None):
        return []
    return [*texts[0], *([label] if count == 3 and label else [])]
