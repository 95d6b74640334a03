"""Shows on standard error how far a long piece of work is: a bar on a terminal, elsewhere a line a minute.

Standard output stays free for what a command prints for another program.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 60.0
SECONDS_OF_SPEED = 300.0
"""The ETA follows from the speed of these last seconds, so that a validation in between does not upset it."""


class Progress(Protocol):
    def update(self, done: float, words: str = "") -> None:
        """Say that so much of the total is done; `words` follow the ETA."""
        ...

    def count_from(self, done: float) -> None:
        """Leave what was done before, by an earlier process, out of the speed."""
        ...


class NoProgress:
    def update(self, done: float, words: str = "") -> None: ...

    def count_from(self, done: float) -> None: ...


class ProgressLines:
    """Logs where a log is kept, else writes to standard error."""

    def __init__(self, name: str, total: float, done: float = 0.0) -> None:
        self._name, self._total = name, max(total, 1e-9)
        self._last = self._begun = time.monotonic()
        self._first = done

    def update(self, done: float, words: str = "") -> None:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        speed = (done - self._first) / max(now - self._begun, 1e-9)
        eta = timedelta(seconds=round((self._total - done) / speed)) if speed > 0 else "unknown"
        line = f"{self._name} {100 * done / self._total:.0f} %, ETA {eta}" + (f"  {words}" if words else "")
        if logging.getLogger().handlers:
            log.info("%s", line)
        else:
            print(line, file=sys.stderr, flush=True)

    def count_from(self, done: float) -> None:
        self._first, self._begun = done, time.monotonic()


class ProgressBar:
    """rich's bar. `words` come last, so that a narrow terminal shortens them and the bar, not the ETA."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def update(self, done: float, words: str = "") -> None:
        self._bar.update(self._task, completed=done, words=words)

    def count_from(self, done: float) -> None:
        self._bar.reset(self._task, completed=done)


@contextmanager
def shown_progress(name: str, total: float, done: float = 0.0) -> Iterator[Progress]:
    """Show the work while the context lasts; nothing of the bar stays on the screen."""
    if not sys.stderr.isatty():
        yield ProgressLines(name, total, done)
        return
    from rich import progress
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column

    def text(field: str, **options: Any) -> progress.TextColumn:
        return progress.TextColumn(field, markup=False, table_column=Column(no_wrap=True, **options))

    columns = (
        text(escape("{task.description}"), max_width=30, overflow="ellipsis"),
        progress.BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
        text("{task.percentage:>3.0f} %", min_width=5),
        text("ETA"),
        progress.TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
        text("{task.fields[words]}", overflow="ellipsis"),
    )
    console = Console(stderr=True)
    # A program behind a pipe reads standard output: that must not end on the screen because of the bar.
    live = {"redirect_stdout": sys.stdout.isatty(), "transient": True, "expand": True}
    with progress.Progress(*columns, console=console, speed_estimate_period=SECONDS_OF_SPEED, **live) as bar:
        with _log_above_it():
            shown = ProgressBar(bar, bar.add_task(name, total=total, words=""))
            shown.update(done)
            yield shown


@contextmanager
def _log_above_it() -> Iterator[None]:
    """Send log lines through the streams by which rich lets other text appear above a bar."""
    now: dict[Any, Callable[[], Any]] = {sys.__stdout__: lambda: sys.stdout, sys.__stderr__: lambda: sys.stderr}
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler)]
    streams: list[tuple[logging.StreamHandler[Any], Any]] = [(one, one.stream) for one in handlers if one.stream in now]
    for handler, stream in streams:
        handler.setStream(now[stream]())
    try:
        yield
    finally:
        for handler, stream in streams:
            handler.setStream(stream)
