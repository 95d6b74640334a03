"""A comparison on the screen: the question, the candidates, their differences, the verdict."""

from __future__ import annotations

import string
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from paraphrase_lab.comparison.compare import RECIPES, Candidate, Comparison, Difference
from paraphrase_lab.comparison.slices import ALL
from paraphrase_lab.statistics.verdict import IN_POINTS, decimals, shown

QUESTIONS = {
    "models": "Question: are these models different on pairs like these? Every candidate is one run.",
    "recipes": "Question: are these recipes different, whatever the seed? Runs that differ only in the seed are one recipe.",
}
INTERVALS = ("95 % over pairs", "95 % over seeds")
WIDE = 100
"""Columns of a terminal."""
EXPLANATION = "p is corrected for the number of comparisons (Holm). Better: p below 0.05, and 0 in no interval."


def print_comparison(comparison: Comparison, *, with_slices: bool) -> None:
    console = Console()
    letters = _letters(comparison.candidates)
    _say(console, QUESTIONS[comparison.question], "bold")
    _say(
        console,
        f"{comparison.pairs:,} {comparison.split} pairs ({comparison.fingerprint[:8]}) in {comparison.clusters:,} clusters "
        f"that share no sentence; {comparison.resamples:,} resamples",
    )
    metrics = list(dict.fromkeys(one.metric for one in comparison.differences))
    console.print(_candidates(comparison, letters, metrics))
    whole = [one for one in comparison.differences if one.slice == ALL]
    for metric in metrics:
        console.print(_differences([one for one in whole if one.metric == metric], metric, letters, comparison.question))
    if with_slices:
        parts = [one for one in comparison.differences if one.slice != ALL]
        for a, b in dict.fromkeys((one.a, one.b) for one in parts):
            of_two = [one for one in parts if (one.a, one.b) == (a, b)]
            console.print(_slices(of_two, letters, comparison.question, console.width))
    for one in whole:
        if one.metric == comparison.metric:
            versus = f"{letters[one.b]} - {letters[one.a]}, " if len(comparison.candidates) > 2 else ""
            _say(console, f"{versus}{one.metric}: {one.verdict}", "bold")
    _say(console, EXPLANATION, "dim")
    for note in comparison.notes:
        _say(console, note, "dim")


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False)


def _letters(candidates: Sequence[Candidate]) -> dict[str, str]:
    names = string.ascii_uppercase if len(candidates) <= 26 else [str(number + 1) for number in range(len(candidates))]
    return {candidate.name: letter for candidate, letter in zip(candidates, names, strict=False)}


def _table(title: str | None = None) -> Table:
    """Narrow enough for eight columns in a terminal of 80."""
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )


def _candidates(comparison: Comparison, letters: dict[str, str], metrics: Sequence[str]) -> Table:
    table = _table()
    table.add_column("")
    table.add_column("what differs", overflow="fold")
    table.add_column("runs", justify="right")
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
    for one in comparison.candidates:
        values = [_value(metric, one.values[metric], one.spread.get(metric)) for metric in metrics]
        table.add_row(letters[one.name], one.name, str(len(one.runs)), *values)
    return table


def _value(metric: str, value: float, spread: float | None) -> str:
    places = 2 if metric in IN_POINTS else 4
    text = shown(metric, value, places)
    return text if spread is None else f"{text} ± {shown(metric, spread, places)}"


def _differences(rows: Sequence[Difference], metric: str, letters: dict[str, str], question: str) -> Table:
    table = _table(f"{metric}{_unit(metric)}")
    table.add_column("", no_wrap=True)
    for name in ("difference", *INTERVALS[: 2 if question == RECIPES else 1], "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("better", no_wrap=True)
    for one in rows:
        seeds = [_ends(one, one.seeds_low, one.seeds_high)] if question == RECIPES else []
        versus = f"{letters[one.b]} - {letters[one.a]}"
        table.add_row(versus, _difference(one), _ends(one, one.low, one.high), *seeds, *_conclusion(one, letters))
    return table


def _slices(rows: Sequence[Difference], letters: dict[str, str], question: str, width: int) -> Table:
    """In a narrow terminal the interval over seeds takes the room of the two values."""
    first = rows[0]
    a, b = letters[first.a], letters[first.b]
    seeds = question == RECIPES
    with_values = not seeds or width >= WIDE
    table = _table(f"{first.metric} by slice{_unit(first.metric)}")
    table.add_column("slice", overflow="fold")
    for name in ("pairs", *((a, b) if with_values else ()), f"{b} - {a}", *INTERVALS[: 2 if seeds else 1], "p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("better", no_wrap=True)
    for one in rows:
        values = [_value(one.metric, value, None) for value in (one.value_a, one.value_b)] if with_values else []
        ends = [_ends(one, one.low, one.high), *([_ends(one, one.seeds_low, one.seeds_high)] if seeds else [])]
        table.add_row(one.slice, f"{one.pairs:,}", *values, _difference(one), *ends, *_conclusion(one, letters))
    return table


def _unit(metric: str) -> str:
    return ", in points" if metric in IN_POINTS else ""


def _places(one: Difference) -> int:
    return max(2, decimals(one.metric, one.low, one.high))


def _difference(one: Difference) -> str:
    text = shown(one.metric, one.difference, _places(one))
    return text if one.difference <= 0 or float(text) == 0 else f"+{text}"


def _ends(one: Difference, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "too few"
    return f"{shown(one.metric, low, _places(one))} to {shown(one.metric, high, _places(one))}"


def _conclusion(one: Difference, letters: dict[str, str]) -> tuple[str, str]:
    p_value = "<0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}"
    return p_value, letters[one.better] if one.better else "-"
