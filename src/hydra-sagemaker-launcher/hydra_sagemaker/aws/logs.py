"""Reads what jobs print: from CloudWatch Logs while and after they run, from a file where they run on this machine.

Output is not trusted: the terminal gets its colours, and no other control characters.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

from hydra_sagemaker.aws.clients import api_call
from hydra_sagemaker.errors import CONTROL, LauncherError, Throttled, Unreachable, last_state, plain

log = logging.getLogger(__name__)
GROUP = "/aws/sagemaker/TrainingJobs"
BACKWARD_PAGES = 4
"""CloudWatch returns partly or wholly empty pages although there are more lines."""
LINE_BYTES = 1000
MOST_LINES = 10_000
"""The most that CloudWatch returns at once; in that many of a shared machine's a job's own lines are looked for."""
HOST = re.compile(r"/(algo-\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


class Log(Protocol):
    silent_reads: int
    """Number of reads in a row without a line, after the job's end, that end the log."""

    def new_lines(self, *, ended: bool) -> list[str]:
        """Return the last lines first, then the lines since the last call. `ended`: the job has ended."""
        ...


class CloudWatchLog:
    """Streams are named `<job>/algo-<number>-<time>`: one for each host, and new ones after a spot interruption."""

    silent_reads = 3  # lines arrive seconds after they were printed

    def __init__(self, client: Any, name: str, *, lines: int, hosts: int = 1) -> None:
        self._client, self._name = client, name
        self._lines, self._hosts = lines, hosts
        self._tokens: dict[str, str] = {}
        self._is_first = True

    def new_lines(self, *, ended: bool = False) -> list[str]:
        """Return new lines of all hosts, in the order of their time.

        Raises:
            Throttled, Unreachable: nothing could be read now.
            LauncherError: the log may not be read.
        """
        found: list[tuple[int, str, str]] = []
        try:
            with api_call(f"the log of {self._name}"):
                for stream in self._streams():
                    self._read(stream, found)
        except (Throttled, Unreachable):
            if not found:  # else the rest comes with the next call
                raise
        several = self._hosts > 1 or len({host for _, host, _ in found}) > 1
        found.sort(key=lambda one: one[0])
        lines = [f"{host} | {line}" if several else line for _, host, line in found]
        lines = lines[-self._lines :] if self._is_first else lines
        self._is_first = False
        return lines

    def _streams(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, logStreamNamePrefix=f"{self._name}/"
        )
        with api_call(f"the log of {self._name}", accepted=("ResourceNotFoundException",)):
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        return []  # before the account's first job the group does not exist

    def _read(self, stream: str, found: list[tuple[int, str, str]]) -> None:
        """Read on from the last page; a page's lines and its token are kept together, whatever the next call raises."""
        if self._is_first:
            self._read_end(stream, found)
            return
        while True:
            token = self._tokens.get(stream)
            page = self._page(stream, startFromHead=True, **({"nextToken": token} if token else {}))
            found.extend(_lines_of(stream, page["events"]))
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:
                return

    def _read_end(self, stream: str, found: list[tuple[int, str, str]]) -> None:
        page = self._page(stream, startFromHead=False, limit=self._lines)
        forward, events = page["nextForwardToken"], page["events"]
        for _ in range(BACKWARD_PAGES):
            backward = page["nextBackwardToken"]
            if len(events) >= self._lines:
                break
            page = self._page(stream, startFromHead=False, limit=self._lines - len(events), nextToken=backward)
            events = [*page["events"], *events]
            if page["nextBackwardToken"] == backward:
                break
        found.extend(_lines_of(stream, events))
        if events:
            self._tokens[stream] = forward

    def _page(self, stream: str, **query: Any) -> dict[str, Any]:
        return self._client.get_log_events(logGroupName=GROUP, logStreamName=stream, **query)


class FileLog:
    silent_reads = 1

    def __init__(self, file: Path, *, lines: int) -> None:
        self._file, self._lines = file, lines
        self._offset: int | None = None

    def new_lines(self, *, ended: bool = False) -> list[str]:
        if not self._file.is_file():
            return []
        size = self._file.stat().st_size
        is_first = self._offset is None
        offset = max(0, size - self._lines * LINE_BYTES) if self._offset is None else min(self._offset, size)
        with self._file.open("rb") as file:
            file.seek(offset)
            new = file.read()
        if not ended:
            new = new[: new.rfind(b"\n") + 1]
        self._offset = offset + len(new)
        lines = _split(new.decode(errors="replace"))
        return lines[-self._lines :] if is_first else lines


class SharedLog:
    """One job's lines of the log of a machine that several share, each of which begins with the job's label."""

    silent_reads = CloudWatchLog.silent_reads

    def __init__(self, client: Any, machine: str, label: str, *, lines: int) -> None:
        self._log, self._label, self._lines = CloudWatchLog(client, machine, lines=MOST_LINES), label, lines
        self._first = [f"[launcher] its part of the log of {machine}, which other jobs share"]

    def new_lines(self, *, ended: bool = False) -> list[str]:
        """Return its new lines as `CloudWatchLog` does, after one that names the machine. Raises what that raises."""
        own = [line.replace(self._label, "") for line in self._log.new_lines(ended=ended) if line.startswith(self._label)]
        found, self._first = [*self._first, *(own[-self._lines :] if self._first else own)], []
        return found


def tail(logs_client: Any, name: str, lines: int = 20) -> list[str]:
    """Return the end of a job's log; empty when it has none, or when it may not be read."""
    with suppress(LauncherError):
        return CloudWatchLog(logs_client, name, lines=lines).new_lines()
    return []


def follow(
    logs: Mapping[str, Log], running: Callable[[Collection[str]], Collection[str]], *, seconds: float, poll_seconds: float
) -> Iterator[tuple[str, str]]:
    """Yield (job name, line) until all jobs have ended and their last lines have arrived.

    `running` returns those of the given names that still run. It is called every `poll_seconds`; logs are read every `seconds`.
    """
    reading, alive, silent = dict(logs), set(logs), Counter[str]()
    next_look = 0.0
    transient = RetryTransient()
    while reading:
        next_look -= seconds
        if alive and next_look <= 0:
            next_look = poll_seconds
            with transient:
                alive &= set(running(sorted(alive)))
        for name, one in list(reading.items()):
            lines: list[str] = []
            with transient:
                lines = one.new_lines(ended=name not in alive)
                silent[name] = 0 if lines or name in alive else silent[name] + 1
            yield from ((name, line) for line in lines)
            if silent[name] >= one.silent_reads:
                del reading[name]
        if reading:
            time.sleep(seconds)


class RetryTransient(AbstractContextManager["RetryTransient"]):
    """Suppresses errors that a retry may cure, and logs the first of a series."""

    _has_logged = False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        is_transient = isinstance(error, Throttled | Unreachable)
        if is_transient and not self._has_logged:
            log.warning("%s; trying again", str(error).splitlines()[0])
        self._has_logged = is_transient
        return is_transient


def clean(line: str, *, colours: bool) -> str:
    """Remove what could move the cursor or change the terminal; keep a progress bar's last state."""
    if not colours:
        return plain(line)
    kept = CONTROL.sub(lambda match: match[0] if COLOUR.fullmatch(match[0]) else "", last_state(line))
    return f"{kept}\x1b[0m" if "\x1b" in kept else kept


def _lines_of(stream: str, events: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    match = HOST.search(stream)
    for event in events:
        for line in _split(event["message"]):
            yield event["timestamp"], match[1] if match else stream, line


def _split(text: str) -> list[str]:
    """Split at line feeds alone: str.splitlines would also cut at characters of progress bars and other alphabets."""
    return [line for line in text.split("\n") if line.strip()]
