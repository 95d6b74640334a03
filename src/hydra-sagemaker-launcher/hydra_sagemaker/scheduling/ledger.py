"""What was about to be done, one JSON line each, written before it is done: after a crash nothing has to be guessed."""

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
        if self._is_torn():
            line = f"\n{line}"
        with self.file.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Without lines that a crash cut off."""
        if not self.file.is_file():
            return []
        events = []
        for line in self.file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):
                events.append(json.loads(line))
        return events

    def _is_torn(self) -> bool:
        if not self.file.is_file() or not self.file.stat().st_size:
            return False
        with self.file.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
