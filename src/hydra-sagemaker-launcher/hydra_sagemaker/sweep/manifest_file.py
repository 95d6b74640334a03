"""The manifest's two files: manifest.json, and jobs.jsonl beside it with jobs that were added one by one.

A search adds thousands of jobs, and to write all of them again for each would take most of its time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra_sagemaker.files import read_json, write_atomically

FORMAT = 2
_written: dict[Path, str] = {}
"""What this process has written into manifest.json but for the jobs, by directory."""


def manifest_file(directory: Path) -> Path:
    return directory / ".launcher" / "manifest.json"


def read_values(directory: Path) -> dict[str, Any] | None:
    """Return the manifest with all its jobs; None where there is none, or one of another version."""
    values = read_json(manifest_file(directory))
    parts = {"settings", "state_dir", "root", "working_dir", "task_package", "hydra", "jobs"}
    if not isinstance(values, dict) or values.get("format") != FORMAT or not parts <= values.keys():
        return None
    added = _added_file(directory)
    for line in added.read_text(encoding="utf-8", errors="replace").split("\n") if added.is_file() else ():
        with suppress(ValueError, TypeError):  # a killed process may have left the beginning of a line
            values["jobs"].update(json.loads(line))
    return values


def write_values(directory: Path, values: Mapping[str, Any]) -> None:
    write_atomically(manifest_file(directory), json.dumps(values, indent=1))
    _added_file(directory).unlink(missing_ok=True)
    _written[directory] = _without_jobs(values)


def can_add(directory: Path, values: Mapping[str, Any]) -> bool:
    """Tell whether this process wrote the manifest, with all but the jobs as it is in `values`."""
    return _written.get(directory) == _without_jobs(values) and manifest_file(directory).is_file()


def add_jobs(directory: Path, jobs: Mapping[str, Any]) -> None:
    with _added_file(directory).open("a+b") as handle:
        is_cut = False
        if handle.tell() > 0:
            handle.seek(-1, os.SEEK_END)
            is_cut = handle.read(1) != b"\n"
        handle.write(("\n" * is_cut + f"{json.dumps(jobs)}\n").encode())


def _added_file(directory: Path) -> Path:
    return directory / ".launcher" / "jobs.jsonl"


def _without_jobs(values: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in values.items() if name != "jobs"}, sort_keys=True)
