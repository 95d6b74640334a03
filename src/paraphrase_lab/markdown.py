"""Tables in markdown, and text that markdown leaves as it is."""

import re
from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool] = ()) -> str:
    """Lay out a table, one line per row; cells may hold markup.

    Args:
        right: for each column, whether it is aligned to the right; none is by default.
    """
    rule = ["---:" if flag else "---" for flag in right or [False] * len(columns)]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in (columns, rule, *rows))


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\n", " "))


def escaped(text: str) -> str:
    """Return the text on one line, with nothing in it that could be taken for markup or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
