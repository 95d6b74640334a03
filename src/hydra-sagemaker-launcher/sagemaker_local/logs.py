"""Sends the output of a container to CloudWatch Logs while it runs, and reads the metrics in it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

EVENT_BYTES = 262_000
BATCH_EVENTS = 1_000
BATCH_BYTES = 1_000_000


class LogStream:
    def __init__(self, client: Any, group: str, stream: str, file: Path) -> None:
        self._client, self._group, self._stream, self._file = client, group, stream, file
        self._offset = file.stat().st_size if file.exists() else 0
        self._is_created = False
        self._lock = threading.Lock()

    def send(self, *, is_last: bool = False) -> list[str]:
        """Send, and return, the whole lines since the last call; with `is_last` an unfinished line too."""
        names = {"logGroupName": self._group, "logStreamName": self._stream}
        with self._lock:
            lines = self._new_lines(is_last)
            if lines and not self._is_created:
                self._is_created = True
                # it may exist, of a job of the same name on another server of this process
                with suppress(self._client.exceptions.ResourceAlreadyExistsException):
                    self._client.create_log_stream(**names)
            for batch in _batches(lines):
                self._client.put_log_events(**names, logEvents=batch)
            return lines

    def _new_lines(self, is_last: bool) -> list[str]:
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        if not is_last:
            new = new[: new.rfind(b"\n") + 1]
        self._offset += len(new)
        return [line for line in new.decode(errors="replace").split("\n") if line.strip()]


def _batches(lines: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        for start in range(0, len(line), EVENT_BYTES // 4):  # a character has at most four bytes
            message = line[start : start + EVENT_BYTES // 4]
            if len(batch) == BATCH_EVENTS or size + 4 * len(message) > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append({"timestamp": int(time.time() * 1000), "message": message})
            size += 4 * len(message)
    if batch:
        yield batch


class MetricReader:
    """Keeps the last value that each MetricDefinition found in the log."""

    def __init__(self, definitions: Sequence[dict[str, str]]) -> None:
        self._patterns = {definition["Name"]: re.compile(definition["Regex"]) for definition in definitions}
        self._found: dict[str, dict[str, Any]] = {}

    def read(self, lines: Sequence[str]) -> None:
        for line in lines:
            for name, pattern in self._patterns.items():
                for match in pattern.finditer(line):
                    with suppress(TypeError, ValueError):
                        value = float(match.group(1) if pattern.groups else match.group())
                        self._found[name] = {"MetricName": name, "Value": value, "Timestamp": time.time()}

    def final(self) -> list[dict[str, Any]]:
        return list(self._found.values())
