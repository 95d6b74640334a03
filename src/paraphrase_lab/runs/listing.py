"""Runs from anywhere as one list: directories, single runs, `latest`, records in S3 and runs in W&B."""

import json
import logging
import os
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paraphrase_lab.errors import RunError
from paraphrase_lab.runs.configuration import configuration_of
from paraphrase_lab.runs.record import FILE_NAME, LATEST, RunRecord, run_directory, upgraded
from paraphrase_lab.runs.row import RunRow, metrics_of

S3, WANDB = "s3://", "wandb:"
log = logging.getLogger(__name__)


def read_runs(places: Sequence[str]) -> list[RunRow]:
    """Return every run of the places, once: the newest sweep first, its runs in the order of the jobs.

    A run is named by what stands below its place, or by its whole path where there are several places.

    Args:
        places: directories with runs below them, run directories, `latest`, s3://bucket/prefix, wandb:entity/project/group.

    Raises:
        RunError: a place that does not exist or cannot be reached.
    """
    rows: dict[str, RunRow] = {}
    for place in places:
        for row in _rows(place):
            named = row if len(places) == 1 else replace(row, name=str(row.path))
            rows.setdefault(row.identity, named)
    newest: dict[str, str] = {}
    for row in rows.values():
        newest[_sweep(row)] = max(newest.get(_sweep(row), ""), row.started)
    return sorted(sorted(rows.values(), key=_job_order), key=lambda row: newest[_sweep(row)], reverse=True)


def _rows(place: str) -> list[RunRow]:
    if place.startswith(S3):
        from paraphrase_lab.runs.s3 import read_objects

        records = {address.rpartition("/")[0]: text for address, text in read_objects(place, FILE_NAME).items()}
        rows = [_row(path, place, text) for path, text in records.items() if _is_listed(path, place, records)]
        return list(filter(None, rows))
    if place.startswith(WANDB):
        from paraphrase_lab.runs.wandb_source import read_wandb

        return read_wandb(place)
    root = run_directory(place) if place == LATEST else Path(place)
    if not root.is_dir():
        problem = f"{place} is a file, not a directory" if root.exists() else f"{place} does not exist"
        raise RunError(problem, hint="`paraphrase train` makes a run below runs/")
    return list(filter(None, (_row(directory, str(root)) for directory in _run_directories(root))))


def _is_listed(path: str, place: str, runs: Container[str]) -> bool:
    """Leave out what is hidden and what is below a run, as in a directory."""
    parts = path.removeprefix(place.rstrip("/")).strip("/").split("/")
    above = [path.rsplit("/", count)[0] for count in range(1, len(parts) + 1)]
    return not any(part.startswith(".") for part in parts) and not any(one in runs for one in above)


def _run_directories(directory: Path) -> Iterator[Path]:
    """Walk through the directories without entering runs or hidden ones, which may hold thousands of files."""
    if (directory / FILE_NAME).is_file():
        yield directory
        return
    try:
        with os.scandir(directory) as entries:
            below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
    except OSError as error:
        log.warning("%s cannot be looked into: %s", directory, error.strerror)
        return
    for name in below:
        yield from _run_directories(directory / name)


def _row(path: Path | str, place: str, text: str | None = None) -> RunRow | None:
    """Return None for a record that cannot be read, such as one that is being copied.

    Args:
        text: the record of a run that is not on this machine.
    """
    try:
        values = json.loads((Path(path) / FILE_NAME).read_text(encoding="utf-8") if text is None else text)
    except (OSError, ValueError) as error:
        return _unreadable(path, str(error))
    if not isinstance(values, dict):
        return _unreadable(path, "it holds no record")
    try:
        values = upgraded(values)
        config, record = configuration_of(values, path if isinstance(path, Path) else None)
        status, metrics = RunRecord(Path(path), values).status, metrics_of(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of another program, or written by hand
        return _unreadable(path, f"it is no record of a run ({type(error).__name__}: {error})")
    below = str(path).removeprefix(place.rstrip("/")).lstrip("/")
    own = str(path).rstrip("/").rpartition("/")[2]  # of a place that is a run itself
    return RunRow(path, below or own, status, config, metrics, record)


def _unreadable(path: Path | str, reason: str) -> None:
    log.warning("%s/%s cannot be read, and is left out: %s", path, FILE_NAME, reason)


def _sweep(row: RunRow) -> str:
    """Return the directory that the jobs of a sweep share; for a single run, its own."""
    path = str(row.path).rstrip("/")
    parent, _, name = path.rpartition("/")
    return parent if name.isdigit() else path


def _job_order(row: RunRow) -> list[Any]:
    """Sort job 10 after job 9."""
    return [int(part) if number % 2 else part for number, part in enumerate(re.split(r"(\d+)", str(row.path)))]
