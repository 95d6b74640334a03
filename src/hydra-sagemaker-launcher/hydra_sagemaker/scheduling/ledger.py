"""A list of what is about to be done, written before it is done, one JSON line each: a crash leaves nothing to guess."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class Ledger:
    def __init__(self, file: Path) -> None:
        self.file = file
        self._events: list[dict[str, Any]] = []
        self._read_bytes = 0

    def append(self, event: str, **values: Any) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"time": round(time.time(), 3), "event": event, **values}) + "\n"
        with self.file.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # a crash has cut off the last line
                    line = f"\n{line}"
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Return the events, without lines that a crash cut off; what was read before is not read again."""
        if not self.file.is_file():
            return []
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            for line in file:
                if not line.endswith(b"\n"):  # perhaps a line that is still being written
                    return [*self._events, *_event(line)]
                self._events += _event(line)
                self._read_bytes += len(line)
        return list(self._events)


def _event(line: bytes) -> list[dict[str, Any]]:
    try:
        return [json.loads(line)]
    except ValueError:
        return []
