"""Plans, lists of jobs, bills and prices, for people and as JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hydra_sagemaker.pricing.cost import money, total
from hydra_sagemaker.pricing.prices import Prices, bound_of_settings

if TYPE_CHECKING:
    from hydra_sagemaker.scheduling.tracker import Submission
    from hydra_sagemaker.settings import SageMakerLauncherConf

ONE_BY_ONE = 20
"""Rows of a plan up to which every job has its own."""
SHOWN_AT_EACH_END = 8
RIGHT = frozenset({"job", "at most", "likely", "hours", "runtime", "cost", "saved", "billed", "kept warm", "USD per hour"})


Cells = dict[str, str]


def plan_table(
    submissions: Sequence[Submission],
    prices: Prices,
    described: str,
    width: int | None = None,
    likely: Callable[[SageMakerLauncherConf], float | None] = lambda settings: None,
) -> str:
    """Draw what each job will be, its largest cost and its likely one; `described` says where the numbers come from."""
    rows = [_plan_row(one, prices, likely) for one in submissions]
    shown = [row.cells for row in rows] if len(rows) <= ONE_BY_ONE else _grouped(rows)
    if len(shown) > 2 * SHOWN_AT_EACH_END + 1:
        left_out = {"job": "…", "overrides": f"… {len(shown) - 2 * SHOWN_AT_EACH_END} more lines"}
        shown = [*shown[:SHOWN_AT_EACH_END], left_out, *shown[-SHOWN_AT_EACH_END:]]
    expected = [row.likely for row in rows]
    in_all = _sum_in_words([row.at_most for row in rows], "at most ")
    if any(one.cells["likely"] for one in rows):
        in_all += f", {_sum_in_words(expected, 'likely ')}"
    if kept := sum(one.kept or 0.0 for one in rows):
        in_all += f", at most {money(kept)} of it for machines kept warm after their jobs"
    return f"{drawn(shown, width)}{counted(len(rows), 'job')}, {in_all} ({described})"


def jobs_table(rows: Sequence[Mapping[str, Any]], width: int | None = None) -> str:
    """Draw the state of each job; the rows are those of `list --json`."""
    shown = [
        {
            "job": str(row["job"]),
            "overrides, name": f"{row['overrides']}\n{row['name']}".strip(),
            "state": row["state"] + (f"\n{row['cause']}" if row["cause"] else ""),
            "started": (row["started"] or "").replace("T", " ")[5:16],  # so that on 80 columns most names fit beside it
            "runtime": "" if row["runtime_seconds"] is None else duration(row["runtime_seconds"]),
            "cost": _cost_cell(row),
        }
        for row in rows
    ]
    spent = [row["cost_usd"] if row.get("cost_so_far_usd") is None else row["cost_so_far_usd"] for row in rows]
    so_far = " so far" if any(row.get("cost_so_far_usd") is not None for row in rows) else ""
    return f"{drawn(shown, width)}{counted(len(rows), 'job')}, {_sum_in_words(spent)}{so_far}"


def _cost_cell(row: Mapping[str, Any]) -> str:
    """Return the cost in few columns: the name of a job needs them."""
    so_far = row.get("cost_so_far_usd")
    return money(row["cost_usd"]) if so_far is None else f"{money(so_far)}\nso far"


def cost_table(submissions: Sequence[Submission], described: str, width: int | None = None) -> str:
    """Draw the bills of jobs that were billed; `described` is what Prices.described says."""
    shown: list[Cells] = []
    costs: list[float | None] = []
    saved = kept = 0.0
    for one in submissions:
        attempts = [*one.attempts, one.outcome.record if one.outcome else {}]
        sums = total(attempt["cost"] for attempt in attempts if attempt.get("cost"))
        interruptions = sum(attempt.get("interruptions") or 0 for attempt in attempts)
        events = [counted(len(attempts), "attempt")] if len(attempts) > 1 else []
        events += [counted(interruptions, "interruption")] if interruptions else []
        costs.append(sums["cost_usd"])
        saved += sums["saved_by_spot_usd"] or 0.0
        seconds = sum(attempt["cost"].get("kept_warm_seconds") or 0 for attempt in attempts if attempt.get("cost"))
        kept += seconds
        shown.append({
            "job": str(one.job.number),
            "overrides": _overrides(one) + (f" ({', '.join(events)})" if events else ""),
            "billed": duration(sums["billable_seconds"]),
            "kept warm": duration(seconds) if seconds else "",
            "cost": money(costs[-1]),
            "saved": money(sums["saved_by_spot_usd"]),
        })  # fmt: skip
    in_all = f"{counted(len(shown), 'job')}, {_sum_in_words(costs)}"
    in_all += f", {money(saved)} saved by spot" if saved else ""
    in_all += f", {duration(kept)} of machines kept warm" if kept else ""
    return f"{drawn(shown, width)}{in_all} ({described})"


def as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the rows unrounded, with null for what is not known."""
    return json.dumps(rows, indent=2, allow_nan=False)


def duration(seconds: float | None) -> str:
    """Return hours, minutes and seconds."""
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


class _Row(NamedTuple):
    cells: Cells
    at_most: float | None
    """US dollars; None where a price is not known."""
    likely: float | None
    kept: float | None
    """The part of `at_most` that is for machines kept warm."""


def _plan_row(submission: Submission, prices: Prices, likely: Callable[[SageMakerLauncherConf], float | None]) -> _Row:
    settings = submission.job.settings
    bound = bound_of_settings(settings, prices)
    cost = 0.0 if submission.is_reused else bound.usd
    expected = 0.0 if submission.is_reused else likely(settings)
    count = f"{settings.instance_count} x " if settings.instance_count > 1 else ""
    cells = {
        "job": str(submission.job.number),
        "overrides": _overrides(submission),
        "origin": submission.origin,
        "instance": f"{count}{settings.instance_type}{' (spot)' if settings.spot else ''}",
        "hours": f"{bound.hours:g}",
        "at most": money(cost),
        "likely": "" if expected is None or submission.is_reused else money(expected),
    }
    return _Row(cells, cost, expected, 0.0 if submission.is_reused else bound.kept_usd)


def _overrides(submission: Submission) -> str:
    return " ".join(submission.job.distinguishing_overrides)


def _grouped(rows: Sequence[_Row]) -> list[Cells]:
    """Return a line for jobs that differ in their overrides alone; the amounts are those of all of them."""
    groups: dict[tuple[Any, ...], list[Cells]] = {}
    for cells, *costs, _ in rows:
        groups.setdefault((cells["origin"], cells["instance"], cells["hours"], *costs), []).append(cells)
    lines = []
    for (*_, at_most, likely), group in groups.items():
        jobs = _ranges([int(cells["job"]) for cells in group])
        words = group[0]["overrides"]
        if len(group) > 1:
            words += f" … {group[-1]['overrides']}\n{len(group)} jobs"
        together = {"at most": money(None if at_most is None else at_most * len(group))}
        if group[0]["likely"]:
            together["likely"] = money(likely * len(group))
        lines.append(group[0] | {"job": jobs, "overrides": words} | together)
    return lines


def _ranges(numbers: Sequence[int]) -> str:
    """Return 0, 1, 2, 5 as `0-2, 5`; of many pieces the first and the last."""
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
