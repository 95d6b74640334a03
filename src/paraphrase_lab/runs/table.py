"""A list of runs for a terminal of any width: the keys that distinguish them, their status and their metrics."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from paraphrase_lab.metrics.names import FITTED, higher_is_better
from paraphrase_lab.runs.differences import distinguishing_keys
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import brief_names, cut_in_the_middle, money, short_names, shown

METRICS = ("test/accuracy", "test/f1", f"{FITTED}/accuracy", "best")
WIDTHS = (40, 28, 20)
"""Limits of a column's width, tried in turn until the table fits."""
NEVER, LAST, EARLY, FIRST = range(4)
"""When a column is left out if they do not all fit."""
GAP = 2
"""Spaces between two columns."""


@dataclass
class Column:
    header: str
    values: list[str]
    is_number: bool = False
    goes: int = NEVER
    bold: set[int] = field(default_factory=set)

    def width(self, longest: int) -> int:
        return max(*map(len, self.header.splitlines()), min(longest, max(map(len, self.values))))


def runs_table(rows: Sequence[RunRow], fields: Fields, width: int, *, sort: str | None = None) -> tuple[Table, list[str]]:
    """Return the table, and the headers of the columns that do not fit in `width` characters.

    Args:
        sort: whole name of the field the rows are sorted by; the best value of a metric is bold.
    """
    columns = _columns(rows, fields, sort)
    if _longest(columns, width) != WIDTHS[0]:
        columns[0].values = brief_names(columns[0].values)
    if _longest(columns, width) is None:
        for column in columns:
            column.header = re.sub(r"(?<=[/_.])(?=[^/_.]+$)", "\n", column.header)  # on two lines
    hidden: list[str] = []
    while _longest(columns, width) is None and (goes := max(column.goes for column in columns)) != NEVER:
        column = [column for column in columns if column.goes == goes][-1]
        columns.remove(column)
        hidden.insert(0, column.header.replace("\n", ""))
    return _drawn(columns, _longest(columns, width) or WIDTHS[-1]), hidden


def _columns(rows: Sequence[RunRow], fields: Fields, sort: str | None) -> list[Column]:
    keys = distinguishing_keys(rows)
    names = short_names(keys, fields.config)
    columns = [
        Column("run", [row.name for row in rows]),
        Column("status", [row.status for row in rows]),
        Column("age", [age(row.started) for row in rows], is_number=True, goes=EARLY),
    ]
    columns += [_config_column(rows, key, names[key], goes=LAST if number else NEVER) for number, key in enumerate(keys)]
    metrics = [name for name in METRICS if name in fields.metrics][:3]
    if sort is not None and sort not in (*keys, *metrics, "name", "status", "started"):
        metrics.insert(0, sort)
    columns += [
        _value_column(rows, name, sort, goes=FIRST if name != sort and at else NEVER) for at, name in enumerate(metrics)
    ]
    if any(row.cost_usd is not None for row in rows):
        columns.append(
            Column("cost", [money(row.cost_usd) for row in rows], is_number=True, goes=NEVER if sort == "cost" else EARLY)
        )
    return columns


def _config_column(rows: Sequence[RunRow], key: str, header: str, *, goes: int) -> Column:
    values = [row.config.get(key) for row in rows]
    is_number = all(isinstance(value, int | float) or value is None for value in values)
    texts = [_text(row.config[key], ".6g") if key in row.config else "" for row in rows]
    return Column(header, texts, is_number=is_number, goes=goes)


def _value_column(rows: Sequence[RunRow], name: str, sort: str | None, *, goes: int) -> Column:
    values = [Fields.value(row, name) for row in rows]
    numbers = [value for value in values if isinstance(value, int | float)]
    texts = ["" if value is None else _text(value, ".4f") for value in values]
    column = Column(name, texts, is_number=bool(numbers), goes=goes)
    if name == sort and numbers and any(name in row.metrics for row in rows):
        monitor, mode = (str(rows[0].config.get(key, "")) for key in ("monitor", "monitor_mode"))
        rises = higher_is_better(monitor, mode) if name == "best" else higher_is_better(name)
        best = max(numbers) if rises else min(numbers)
        column.bold = {number for number, value in enumerate(values) if value == best}
    return column


def _text(value: Any, digits: str) -> str:
    return format(value, digits) if isinstance(value, float) else shown(value)


def _longest(columns: Sequence[Column], width: int) -> int | None:
    """Return the most generous limit under which the table fits; None when none does."""
    return next((one for one in WIDTHS if sum(column.width(one) + GAP for column in columns) - GAP <= width), None)


def _drawn(columns: Sequence[Column], longest: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    cells = []
    for column in columns:
        table.add_column(Text(column.header), justify="right" if column.is_number else "left", no_wrap=True, vertical="bottom")
        texts = (cut_in_the_middle(value, column.width(longest)) for value in column.values)
        cells.append([Text(text, "bold" if number in column.bold else "") for number, text in enumerate(texts)])
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    return table


def age(started: str) -> str:
    """Format the time since a moment in ISO 8601: 40s, 5m, 3h, 12d."""
    if not started:
        return ""
    moment = datetime.fromisoformat(started)
    seconds = (datetime.now(UTC) - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length or (unit == "m" and seconds >= length):
            return f"{seconds // length:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"
