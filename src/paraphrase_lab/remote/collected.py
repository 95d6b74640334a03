"""Puts a job's bill into the run's record, and W&B's files into the sweep's directory, when its results are downloaded."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from paraphrase_lab.errors import RunError
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.wandb_directories import link_into_sweep

KEPT = (
    "name", "url", "instance_type", "instance_count", "spot", "interruptions", "model", "failure", "cost", "earlier_attempts",
)  # fmt: skip


def note_job(run_dir: Path, record: Mapping[str, Any]) -> None:
    """Note the bill when the launcher has downloaded a job's results; a job that ended before its run began has no run.json."""
    link_into_sweep(run_dir)
    job = {name: record[name] for name in KEPT if record.get(name) is not None}
    attempts = [record, *record.get("earlier_attempts", ())]
    costs = [cost["cost_usd"] for one in attempts if (cost := one.get("cost")) is not None]
    if costs:
        job["cost_of_all_attempts_usd"] = None if None in costs else sum(costs)
    with suppress(RunError):
        RunRecord.read(run_dir).note(job=job)
