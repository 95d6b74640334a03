"""A list of what is about to be done, written before it is done, one JSON line each: a crash leaves nothing to guess."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra_sagemaker.pricing.cost import with_kept


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


def kept_warm_usd(events: Iterable[Mapping[str, Any]]) -> float:
    """Return what machines that were kept warm have cost after their jobs had been collected; at most, of those not ended."""
    bills = (event for event in events if event.get("event") == "warm_pool")
    return sum(bill.get("kept_warm_usd") or bill.get("kept_warm_usd_at_most") or 0.0 for bill in bills)


def failed_attempts(events: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return name, cause and last known cost of the failed attempts that were collected, by key and by name."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    names: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("event") == "collected" and event.get("key") and event.get("cause"):
            kept = {name: event[name] for name in ("name", "cause", "cost") if name in event}
            found.setdefault(event["key"], {})[event["name"]] = names[event["name"]] = kept
        elif event.get("event") == "billed" and event.get("name") in names:
            names[event["name"]]["cost"] = event["cost"]
        elif event.get("event") == "warm_pool" and (cost := names.get(str(event.get("name")), {}).get("cost")):
            cost.update(with_kept(cost, event.get("kept_warm_seconds")))
    return found


def _event(line: bytes) -> list[dict[str, Any]]:
    try:
        return [json.loads(line)]
    except ValueError:
        return []
