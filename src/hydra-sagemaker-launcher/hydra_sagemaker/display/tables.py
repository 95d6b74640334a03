"""Plans, lists of jobs, bills and prices, for people and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hydra_sagemaker.pricing.cost import money, total

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ONE_BY_ONE = 20
"""Rows of a plan up to which every job has its own."""
SHOWN_AT_EACH_END = 8
RIGHT = frozenset({"job", "at most", "hours", "runtime", "cost", "saved", "billed", "USD per hour"})


@dataclass(frozen=True)
class PlanRow:
    job: int
    overrides: str
    origin: str
    """new, reused or attached."""
    instance_type: str
    instance_count: int
    spot: bool
    max_run_hours: float
    max_cost_usd: float | None
    """0 for what is reused."""


@dataclass(frozen=True)
class JobRow:
    job: int
    overrides: str
    name: str
    state: str
    cause: str | None = None
    started: str | None = None
    """As 2026-11-24T01:58:31+00:00."""
    runtime_seconds: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class CostRow:
    job: int
    overrides: str
    attempts: int
    interruptions: int
    """How often a spot machine was taken back, in all attempts."""
    billable_seconds: float | None
    cost_usd: float | None
    saved_by_spot_usd: float | None


Cells = dict[str, str]


def plan_table(rows: Sequence[PlanRow], prices: str, width: int | None = None) -> str:
    """`prices` is what Prices.described says of them."""
    shown = [_plan_cells(row, str(row.job), row.overrides) for row in rows] if len(rows) <= ONE_BY_ONE else _grouped(rows)
    if len(shown) > 2 * SHOWN_AT_EACH_END + 1:
        left_out = {"job": "…", "overrides": f"… {len(shown) - 2 * SHOWN_AT_EACH_END} more lines"}
        shown = [*shown[:SHOWN_AT_EACH_END], left_out, *shown[-SHOWN_AT_EACH_END:]]
    costs = [row.max_cost_usd for row in rows]
    return f"{drawn(shown, width)}{counted(len(rows), 'job')}, {_sum_in_words(costs, 'at most ')} ({prices})"


def jobs_table(rows: Sequence[JobRow], width: int | None = None) -> str:
    shown = [
        {
            "job": str(row.job),
            "overrides, name": f"{row.overrides}\n{row.name}".strip(),
            "state": row.state + (f"\n{row.cause}" if row.cause else ""),
            "started": (row.started or "").replace("T", " ")[5:16],  # so that on 80 columns most names fit beside it
            "runtime": "" if row.runtime_seconds is None else duration(row.runtime_seconds),
            "cost": money(row.cost_usd),
        }
        for row in rows
    ]
    return f"{drawn(shown, width)}{counted(len(rows), 'job')}, {_sum_in_words([row.cost_usd for row in rows])}"


def cost_table(rows: Sequence[CostRow], prices: str, width: int | None = None) -> str:
    """`prices` is what Prices.described says of them."""
    shown = [
        {
            "job": str(row.job),
            "overrides": row.overrides + _eventful(row),
            "billed": duration(row.billable_seconds),
            "cost": money(row.cost_usd),
            "saved": money(row.saved_by_spot_usd),
        }
        for row in rows
    ]
    saved = total(asdict(row) for row in rows)["saved_by_spot_usd"]
    in_all = f"{counted(len(rows), 'job')}, {_sum_in_words([row.cost_usd for row in rows])}"
    return f"{drawn(shown, width)}{in_all}{f', {money(saved)} saved by spot' if saved else ''} ({prices})"


def _eventful(row: CostRow) -> str:
    events = [counted(row.attempts, "attempt")] if row.attempts > 1 else []
    events += [counted(row.interruptions, "interruption")] if row.interruptions else []
    return f" ({', '.join(events)})" if events else ""


def as_json(rows: Sequence[DataclassInstance | Mapping[str, object]]) -> str:
    """The rows' own fields, unrounded; null for what is not known."""
    return json.dumps([row if isinstance(row, Mapping) else asdict(row) for row in rows], indent=2, allow_nan=False)


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def drawn(rows: Sequence[Cells], width: int | None = None) -> str:
    """Draw a column for every key that is not empty in every row; long overrides are folded."""
    columns = [name for name in dict.fromkeys(key for row in rows for key in row) if any(row.get(name) for row in rows)]
    if not rows:
        return ""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for name in columns:
        folds = name.startswith("overrides")
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=not folds, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row.get(name, "")) for name in columns))
    size = width or shutil.get_terminal_size().columns
    console = Console(file=StringIO(), width=size, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _plan_cells(row: PlanRow, jobs: str, overrides: str) -> Cells:
    count = f"{row.instance_count} x " if row.instance_count > 1 else ""
    return {
        "job": jobs,
        "overrides": overrides,
        "origin": row.origin,
        "instance": f"{count}{row.instance_type}{' (spot)' if row.spot else ''}",
        "hours": f"{row.max_run_hours:g}",
        "at most": money(row.max_cost_usd),
    }


def _grouped(rows: Sequence[PlanRow]) -> list[Cells]:
    """A line for jobs that differ in their overrides alone; the amount is that of all of them."""
    groups: dict[tuple[object, ...], list[PlanRow]] = {}
    for row in rows:
        key = (row.origin, row.instance_type, row.instance_count, row.spot, row.max_run_hours, row.max_cost_usd)
        groups.setdefault(key, []).append(row)
    lines = []
    for group in groups.values():
        first, last = group[0], group[-1]
        words = first.overrides if first is last else f"{first.overrides} … {last.overrides}\n{len(group)} jobs"
        cells = _plan_cells(first, _ranges([row.job for row in group]), words)
        together = None if first.max_cost_usd is None else first.max_cost_usd * len(group)
        lines.append({**cells, "at most": money(together)})
    return lines


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 as `0-2, 5`; of many pieces the first and the last."""
    runs = groupby(enumerate(sorted(numbers)), key=lambda one: one[1] - one[0])
    pieces = [[number for _, number in run] for _, run in runs]
    words = [str(piece[0]) if len(piece) == 1 else f"{piece[0]}-{piece[-1]}" for piece in pieces]
    return ", ".join(words) if len(words) <= 3 else f"{words[0]}, …, {words[-1]}"


def _sum_in_words(costs: Sequence[float | None], before: str = "") -> str:
    unknown = sum(cost is None for cost in costs)
    if unknown and unknown == len(costs):
        return "cost unknown"
    known = before + money(sum(cost for cost in costs if cost is not None))
    return f"{known} and {counted(unknown, 'job')} of unknown cost" if unknown else known
