"""The jobs of a sweep on the screen: a live table on a terminal, elsewhere a line for every change."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from hydra_plugins.hydra_sagemaker_launcher._tracker import NEW, Submission

log = logging.getLogger(__name__)
STYLES = {"completed": "green", "failed": "red", "lost": "red", "stopped": "yellow", "running": "cyan", "waiting": "dim"}


class Lines:
    """Without a terminal, or without rich."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

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
    def __init__(self, submissions: Sequence[Submission]) -> None:
        from rich.live import Live

        self._submissions = submissions
        self._started: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._live = Live(get_renderable=self._table, refresh_per_second=2, transient=False)

    def __enter__(self) -> LiveTable:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def changed(self, submission: Submission) -> None:
        now = time.monotonic()
        if submission.status.state.value != "waiting":
            self._started.setdefault(submission.name, now)
        if submission.status.state.ended:
            self._ended.setdefault(submission.name, now)

    def _table(self) -> Any:
        from rich.markup import escape
        from rich.table import Table

        table = Table()
        for column in ("job", "overrides", "state", "time", "name"):
            table.add_column(column)
        for submission in self._submissions:
            state = f"[{STYLES[submission.status.state.value]}]{escape(described(submission))}[/]"
            words = escape(" ".join(submission.job.own_words))
            table.add_row(str(submission.job.number), words, state, self._elapsed(submission.name), submission.name)
        return table

    def _elapsed(self, name: str) -> str:
        if name not in self._started:
            return ""
        seconds = int(self._ended.get(name, time.monotonic()) - self._started[name])
        return f"{seconds // 60}:{seconds % 60:02d}"


def watcher(submissions: Sequence[Submission]) -> Lines | LiveTable:
    try:
        from rich.console import Console
    except ImportError:
        return Lines()
    return LiveTable(submissions) if Console().is_terminal else Lines()
