"""A comparison on the screen: the question, the candidates, their differences, the verdict."""

import string
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from paraphrase_lab.statistics.comparison import QUESTIONS, Comparison, Difference, SmallGroup, difference_columns
from paraphrase_lab.statistics.formatting import shown, with_unit

WIDE = 100
"""Columns of a terminal; a narrower one shows the interval that decides, and what adds to it in the sentence alone."""


def print_comparison(comparison: Comparison, *, with_slices: bool) -> None:
    console = Console()
    with_parts = comparison.with_parts and console.width >= WIDE
    count = len(comparison.candidates)
    numbered = string.ascii_uppercase if count <= 26 else map(str, range(1, count + 1))
    letters = {candidate.name: letter for candidate, letter in zip(comparison.candidates, numbered, strict=False)}
    _say(console, QUESTIONS[comparison.question], "bold")
    _say(console, comparison.scope)
    heads = ("", "what differs", "runs", *map(with_unit, comparison.metrics))
    candidates = _table(None, heads, texts=("", "what differs"))
    for one in comparison.candidates:
        candidates.add_row(letters[one.name], escape(one.name), str(len(one.runs)), *map(one.cell, comparison.metrics))
    console.print(candidates)
    for metric in comparison.metrics:
        console.print(_differences([one for one in comparison.whole if one.metric == metric], letters, with_parts))
    if with_slices:
        for a, b in dict.fromkeys((one.a, one.b) for one in comparison.sliced):
            of_two = [one for one in comparison.sliced if (one.a, one.b) == (a, b)]
            console.print(_slices(of_two, letters, with_parts))
    if comparison.small_groups:
        console.print(_small_groups(comparison.small_groups, list(letters.values())))
    for one in comparison.whole:
        if one.metric == comparison.metric:
            versus = f"{letters[one.b]} - {letters[one.a]}, " if len(comparison.candidates) > 2 else ""
            _say(console, f"{versus}{one.metric}: {one.verdict}", "bold")
    for note in (comparison.explanation, *comparison.notes):
        _say(console, note, "dim")


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False)


def _table(title: str | None, heads: Sequence[str], texts: Sequence[str]) -> Table:
    """Make a table that is narrow enough for eight columns in a terminal of 80; all columns but `texts` hold numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )
    for head in heads:
        is_text = head in texts
        table.add_column(head, justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    return table


def _differences(rows: Sequence[Difference], letters: Mapping[str, str], with_parts: bool) -> Table:
    table = _table(with_unit(rows[0].metric), ("", *difference_columns(with_parts=with_parts)), texts=("",))
    for one in rows:
        table.add_row(f"{letters[one.b]} - {letters[one.a]}", *one.cells(with_parts=with_parts, names=letters))
    return table


def _slices(rows: Sequence[Difference], letters: Mapping[str, str], with_parts: bool) -> Table:
    first = rows[0]
    a, b = letters[first.a], letters[first.b]
    heads = ("slice", "pairs", a, b, f"{b} - {a}", *difference_columns(with_parts=with_parts)[1:])
    table = _table(f"{with_unit(first.metric)}, by slice", heads, texts=("slice",))
    for one in rows:
        values = [shown(one.metric, value) for value in (one.value_a, one.value_b)]
        table.add_row(escape(one.slice), f"{one.pairs:,}", *values, *one.cells(with_parts=with_parts, names=letters))
    return table


def _small_groups(groups: Sequence[SmallGroup], letters: Sequence[str]) -> Table:
    table = _table("accuracy of small groups, points", ("group", "pairs", *letters), texts=("group",))
    for one in groups:
        table.add_row(escape(one.name), f"{one.pairs:,}", *(shown("accuracy", value) for value in one.accuracies))
    return table
