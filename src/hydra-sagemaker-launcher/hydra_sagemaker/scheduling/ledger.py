"""A list of what is about to be done, written before it is done, one JSON line each: a crash leaves nothing to guess."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


class Ledger:
    def __init__(self, file: Path) -> None:
        self.file = file

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
        """Return the events, without lines that a crash cut off."""
        if not self.file.is_file():
            return []
        events = []
        for line in self.file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                events.append(json.loads(line))
        return events
