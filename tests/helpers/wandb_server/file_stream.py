"""The stream in which a client sends rows, summary and console lines, and in the end the exit code."""

from __future__ import annotations

import json
import time
from typing import Any

from wandb_server.answers import Unanswerable
from wandb_server.state import Run, State

KEYS = {"files", "uploaded", "dropped", "preempting", "complete", "exitcode"}
FILES = ("wandb-history.jsonl", "wandb-events.jsonl", "wandb-summary.json", "output.log")


def receive(state: State, project: str, run_id: str, body: dict[str, Any]) -> None:
    """
    Raises:
        Unanswerable: a part that this server does not know, or rows that leave a gap.
    """
    run = state.run(project, run_id)
    if run is None:
        raise Unanswerable(f"file stream of {project}/{run_id}, which nobody started")
    files = body.get("files") or {}
    if unknown := [*(set(body) - KEYS), *(set(files) - set(FILES))]:
        raise Unanswerable(f"{sorted(unknown)} in a file stream")
    run.last_heard = time.monotonic()
    for name, chunk in files.items():
        _receive_file(run, name, chunk["offset"], chunk["content"])
    run.preempting = run.preempting or bool(body.get("preempting"))
    if body.get("complete") or body.get("exitcode") is not None:
        run.exit_code = body.get("exitcode") or 0


def _receive_file(run: Run, name: str, offset: int, lines: list[str]) -> None:
    if name == "wandb-summary.json":
        run.summary = json.loads(lines[-1])
        return
    kept: list[Any] = {"wandb-history.jsonl": run.history, "wandb-events.jsonl": run.events, "output.log": run.log}[name]
    if offset > len(kept) and name != "output.log":
        raise Unanswerable(f"{name} of {run.id} continues at row {offset}, but only {len(kept)} came before")
    kept[offset : offset + len(lines)] = lines if name == "output.log" else [json.loads(line) for line in lines]
