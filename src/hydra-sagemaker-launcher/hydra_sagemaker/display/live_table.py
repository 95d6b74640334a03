"""The jobs of a sweep on the screen: a live table on a terminal, a line for every change where there is none."""

from __future__ import annotations

import logging
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from hydra_sagemaker.backends.base import State
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
TAIL_BYTES = 400
STATE_WIDTH = 30


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
    """A table of one screen at most: running and failed jobs before waiting and completed ones."""

    def __init__(self, submissions: Sequence[Submission], console: Console) -> None:
        self._submissions, self._console = submissions, console
        now = time.monotonic()
        self._started = {one.name: now for one in submissions if one.status.state == State.RUNNING}
        self._ended: dict[str, float] = {}

    def changed(self, submission: Submission) -> None:
        now = time.monotonic()
        if submission.status.state != State.WAITING:
            self._started.setdefault(submission.name, now)
        if submission.status.state.ended:
            self._ended.setdefault(submission.name, now)

    def table(self) -> Table:
        counts = Counter(one.status.state.value for one in self._submissions)
        caption = ", ".join(f"{count} {state}" for state, count in counts.items())
        table = Table(caption=caption, caption_justify="left")
        for column in ("job", "overrides", "state", "time", "last line or name"):
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        rows = max(3, self._console.height - 7)
        first = sorted(self._submissions, key=lambda one: ORDER.index(one.status.state))[:rows]
        for submission in sorted(first, key=lambda one: one.job.number):
            text = textwrap.shorten(described(submission), STATE_WIDTH, placeholder="…")  # AWS explains a quota in 200 letters
            state = f"[{STYLES[submission.status.state]}]{escape(text)}[/]"
            words = escape(" ".join(submission.job.distinguishing_overrides))
            last = escape(last_line(submission) or submission.name)
            table.add_row(str(submission.job.number), words, state, self._elapsed(submission.name), last)
        return table

    def _elapsed(self, name: str) -> str:
        if name not in self._started:
            return ""
        seconds = int(self._ended.get(name, time.monotonic()) - self._started[name])
        return f"{seconds // 60}:{seconds % 60:02d}"


def last_line(submission: Submission) -> str:
    """Return what a local job has printed last; "" for a remote one, whose output is not here yet."""
    log_file = submission.job.job_dir / "output.log"
    if submission.status.state != State.RUNNING or not log_file.is_file():
        return ""
    with log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


@contextmanager
def shown(submissions: Sequence[Submission]) -> Iterator[Callable[[Submission], None]]:
    """Show the jobs while they run; yields the function to call with each job whose state has changed."""
    console = Console()
    if not console.is_terminal:
        yield ChangeLog().changed
        return
    live = LiveTable(submissions, console)
    with Live(get_renderable=live.table, refresh_per_second=2, console=console):
        yield live.changed
