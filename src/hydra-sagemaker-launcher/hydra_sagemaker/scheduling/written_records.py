"""Corrects what record.json says of an attempt that was collected before all of its cost was known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hydra_sagemaker.files import read_json, write_atomically
from hydra_sagemaker.job.job import Job


def correct(job: Job, name: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any] | None:
    """Change the record of an attempt, the last one or one before, and return it; None where it was not collected."""
    file, found = job.job_dir / "record.json", None
    if not isinstance(record := read_json(file), dict):
        return None
    for one in (record, *record.get("earlier_attempts", ())):
        if one.get("name") == name:
            change(one)
            found = one
    if found is not None:
        write_atomically(file, json.dumps(record, indent=1, default=str))
    return found
