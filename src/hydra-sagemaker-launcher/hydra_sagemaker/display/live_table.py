"""The jobs of a sweep on the screen: a live table on a terminal, a line for every change where there is none."""

from __future__ import annotations

import logging
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hydra_sagemaker.backends.base import State
from hydra_sagemaker.display.job_output import last_lines, latest_metric, short_override
from hydra_sagemaker.display.tables import duration
from hydra_sagemaker.scheduling.tracker import NEW, Submission

log = logging.getLogger(__name__)
STYLES = {
    State.RUNNING: "cyan",
    State.FAILED: "red",
    State.LOST: "red",
    State.STOPPED: "yellow",
    State.WAITING: "dim",
    State.COMPLETED: "green",
}
ORDER = list(STYLES)
GAP = 2
LINE = "last line or name"
SHORTEST_STATE, LONGEST_STATE, STATE_OF_80_COLUMNS = 12, 30, 18
LONGEST_OVERRIDES, SHORTEST_OVERRIDES, SHORTEST_LINE = 40, 8, 20


class ChangeLog:
    """Logs every change, where there is no terminal."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def changed(self, submission: Submission) -> None:
        shown = described(submission)
        if self._shown.get(submission.name) != shown:
            log.info("%s: %s · %s", submission.job, shown, submission.name)
        self._shown[submission.name] = shown


def described(submission: Submission) -> str:
    state, detail = submission.status.state.value, submission.status.detail
    more = f" ({detail})" if detail and detail.lower() != state else ""
    return f"{state}{more}" + (f", {submission.origin}" if submission.origin != NEW else "")


class LiveTable:
    """A table of one screen at most: running and failed jobs before waiting and completed ones.

    Job, state, time and metric have the room that they need on any terminal; overrides and the last line share the rest.
    """

    def __init__(self, submissions: Sequence[Submission], console: Console) -> None:
        self._submissions, self._console = submissions, console
        now = self._begun = time.monotonic()
        self._started = {one.name: now for one in submissions if one.status.state == State.RUNNING}
        self._ended: dict[str, float] = {}
        self._metrics: dict[str, str] = {}

    def changed(self, submission: Submission) -> None:
        now = time.monotonic()
        if submission.status.state != State.WAITING:
            self._started.setdefault(submission.name, now)
        if submission.status.state.ended:
            self._ended.setdefault(submission.name, now)

    def table(self) -> Group:
        rows = max(3, self._console.height - 7)
        first = sorted(self._submissions, key=lambda one: ORDER.index(one.status.state))[:rows]
        cells = [self._cells(one) for one in sorted(first, key=lambda one: one.job.number)]
        widths = column_widths(cells, self._console.width)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for name, width in widths.items():
            table.add_column(name, width=width, no_wrap=True, overflow="ellipsis")
        for row in cells:
            table.add_row(*(row[name] for name in widths))
        return Group(table, Text(f"{self._times()}; {self._counts()}", style="dim"))

    def _cells(self, submission: Submission) -> dict[str, Text]:
        lines = last_lines(submission)
        if metric := latest_metric(lines):
            self._metrics[submission.name] = metric
        room = min(LONGEST_STATE, max(SHORTEST_STATE, STATE_OF_80_COLUMNS + self._console.width - 80))
        state = textwrap.shorten(described(submission), room, placeholder="…")  # AWS explains a quota in 200 letters
        running = submission.status.state == State.RUNNING
        return {
            "job": Text(str(submission.job.number)),
            "overrides": Text(" ".join(map(short_override, submission.job.distinguishing_overrides))),
            "state": Text(state, style=STYLES[submission.status.state]),
            "time": Text(self._elapsed(submission.name)),
            "metric": Text(self._metrics.get(submission.name, "")),
            LINE: Text(lines[-1] if lines and running else submission.name),
        }

    def _counts(self) -> str:
        counts = Counter(one.status.state.value for one in self._submissions)
        return ", ".join(f"{count} {state}" for state, count in counts.items())

    def _times(self) -> str:
        """Say for how long the sweep has run, and about how long the rest takes if its jobs last as long as the ended ones."""
        now = time.monotonic()
        elapsed = f"{duration(now - self._begun)} so far"
        lasted = [self._ended[name] - self._started[name] for name in self._ended if name in self._started]
        lasted = [seconds for seconds in lasted if seconds > 0]
        open_jobs = [one.name for one in self._submissions if not one.status.state.ended]
        if not open_jobs:
            return elapsed
        if not lasted:
            return f"{elapsed}, ETA after the first job"
        mean = sum(lasted) / len(lasted)
        left = [max(0.0, mean - (now - self._started[name])) if name in self._started else mean for name in open_jobs]
        at_once = max(1, sum(name in self._started for name in open_jobs))
        return f"{elapsed}, ETA {duration(max(*left, 0.0) if at_once >= len(left) else sum(left) / at_once)}"

    def _elapsed(self, name: str) -> str:
        if name not in self._started:
            return ""
        seconds = int(self._ended.get(name, time.monotonic()) - self._started[name])
        return f"{seconds // 60}:{seconds % 60:02d}"


def column_widths(rows: Sequence[dict[str, Text]], room: int) -> dict[str, int]:
    """Return the width of each column that is shown; together, with the gaps between them, they fit into the room."""
    if not rows:
        return {}
    widths = {name: max(cell_len(name), *(row[name].cell_len for row in rows)) for name in rows[0]}
    if not any(row["metric"].plain for row in rows):
        del widths["metric"]
    line, overrides = widths.pop(LINE), widths.pop("overrides")
    left = room - sum(width + GAP for width in widths.values()) - GAP
    widths["overrides"] = max(SHORTEST_OVERRIDES, min(overrides, LONGEST_OVERRIDES, left))
    if (left := left - widths["overrides"] - GAP) >= SHORTEST_LINE:
        widths[LINE] = min(line, left)
    return {name: widths[name] for name in rows[0] if name in widths}


@contextmanager
def shown(submissions: Sequence[Submission]) -> Iterator[Callable[[Submission], None]]:
    """Show the jobs while they run; yields the function to call with each job whose state has changed."""
    console = Console()
    if not console.is_terminal:
        yield ChangeLog().changed
        return
    table = LiveTable(submissions, console)
    with Live(get_renderable=table.table, refresh_per_second=2, console=console), _log_above_it():
        yield table.changed


@contextmanager
def _log_above_it() -> Iterator[None]:
    """Send log lines through the stream by which a live display lets other text appear above it."""
    terminals = (sys.__stdout__, sys.__stderr__)
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler)]
    streams: list[tuple[logging.StreamHandler[Any], Any]] = [(one, one.stream) for one in handlers if one.stream in terminals]
    for handler, _ in streams:
        handler.setStream(sys.stdout)
    try:
        yield
    finally:
        for handler, stream in streams:
            handler.setStream(stream)
