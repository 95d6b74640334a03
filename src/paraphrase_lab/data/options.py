"""The ways in which a file may differ from plain csv, tsv, jsonl or parquet, and the words that a user types to say so."""

import codecs
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from paraphrase_lab.configuration.quoting import quoted
from paraphrase_lab.errors import UserError

READING = ("format", "delimiter", "quoting", "encoding", "columns")
"""The names of the options, which are keys of data=pairs too."""
QUOTING = ("auto", "none", "standard", "backslash", "single")
FORMAT_NAMES = ("csv", "tsv", "jsonl", "json", "parquet", "arrow")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_CONSTANTS = ("null", "true", "false", "nan", "inf")
_USUAL_FLAGS = {"format": "csv", "delimiter": "comma", "quoting": "auto", "encoding": "utf-8", "columns": ""}


@dataclass(frozen=True)
class ReadOptions:
    """
    Args:
        format: one of FORMAT_NAMES; None: what the ending says, or the content where the ending says nothing.
        delimiter: one character, or a name of DELIMITERS; None: a comma, and a tab in tsv.
        quoting: none: quotes are ordinary characters; standard: "a ""b"" c" (RFC 4180); backslash: "a \\"b\\" c";
            single: 'a'; auto: none where a tab separates, else standard, and a file that shows another way is refused.
        encoding: of text files, a name that Python knows.
        columns: the names of the columns of a file without a header.
        flags: the words of messages are options of `paraphrase predict` instead of keys of data=pairs.

    Raises:
        UserError: an encoding or a delimiter that there is not.
    """

    format: str | None = None
    delimiter: str | None = None
    quoting: str = "auto"
    encoding: str = "utf-8"
    columns: Sequence[str] = ()
    flags: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            valid = "for example utf-8, utf-16, latin-1, cp1252, gb18030, shift_jis"
            raise UserError(f"{self.typed('encoding', self.encoding)}: there is no such encoding", valid=valid) from None
        if self.delimiter is not None and (len(self.separator) != 1 or self.separator in "\"'\\\r\n"):
            valid = f"one character, or one of {', '.join(DELIMITERS)}"
            raise UserError(f"{self.typed('delimiter', self.delimiter)}: this cannot separate columns", valid=valid)

    @property
    def separator(self) -> str:
        """The character of `delimiter`, empty where none is given."""
        return DELIMITERS.get(self.delimiter or "", self.delimiter or "")

    def typed(self, name: str, value: str | Sequence[str]) -> str:
        """Return what to type for an option, quoted for a shell."""
        if self.flags:
            words = [value] if isinstance(value, str) else [",".join(value)]
            return shlex.join([f"--{'header' if name == 'columns' else name}", *words])
        return typed_key(f"data.{name}", value)

    def usual(self, name: str) -> str:
        """Return what to type for an option where the file is written in the usual way."""
        if self.flags:
            return self.typed(name, _USUAL_FLAGS[name])
        value = getattr(ReadOptions(), name)
        return f"data.{name}=null" if value is None else self.typed(name, value)


def kept_hint(options: ReadOptions, typed: Collection[str]) -> str:
    """Return a hint that names the options which are a run's own and not `typed`; empty where all have their defaults."""
    kept = [name for name in READING if name not in typed and getattr(options, name) != getattr(ReadOptions(), name)]
    words = " ".join(options.typed(name, getattr(options, name)) for name in kept)
    usual = " ".join(map(options.usual, kept))
    return f"kept from the run: {words}; type {usual} where the file is written in another way" if kept else ""


def kept_quoting(quoting: str) -> str:
    """Return how other files than a run's own are read: `none` would take the quotes of a quoted file for text, unseen."""
    return "auto" if quoting == "none" else quoting


def typed_key(key: str, value: str | Sequence[str]) -> str:
    """Return `key=value` as a shell and Hydra read it: names with blanks, # or other signs are quoted."""
    words = _hydra_word(value) if isinstance(value, str) else f"[{','.join(map(_hydra_word, value))}]"
    return shlex.quote(f"{key}={words}") if re.search(r"[^\w./=-]", words, re.ASCII) else f"{key}={words}"


def _hydra_word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _CONSTANTS else quoted(text)
