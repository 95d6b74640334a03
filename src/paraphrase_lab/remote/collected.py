"""Puts a job's bill into the run's record, and W&B's files into the sweep's directory, when its results are downloaded."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from paraphrase_lab.errors import RunError
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.wandb_directories import link_into_sweep

KEPT = (
    "name", "url", "instance_type", "instance_count", "spot", "interruptions", "model", "failure", "cost", "earlier_attempts",
    "version_skew",
)  # fmt: skip


def note_job(run_dir: Path, record: Mapping[str, Any]) -> None:
    """Note the bill when the launcher has downloaded a job's results; a job that ended before its run began has no run.json."""
    link_into_sweep(run_dir)
    if places := record.get("inputs"):
        _lead_to_local_data(run_dir, places)
    job = {name: record[name] for name in KEPT if record.get(name) is not None}
    attempts = [record, *record.get("earlier_attempts", ())]
    costs = [cost["cost_usd"] for one in attempts if (cost := one.get("cost")) is not None]
    if costs:
        job["cost_of_all_attempts_usd"] = None if None in costs else sum(costs)
    with suppress(RunError):
        RunRecord.read(run_dir).note(job=job)


def _lead_to_local_data(run_dir: Path, places: Mapping[str, str]) -> None:
    """Write the paths that data have on this machine, in place of those in the job, so that the run can be evaluated here."""
    if (file := run_dir / "config.yaml").is_file():
        values = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        OmegaConf.save(OmegaConf.create(_replaced(values, places)), file)
    with suppress(RunError):
        record = RunRecord.read(run_dir)
        record.note(**{name: new for name, value in record.values.items() if (new := _replaced(value, places)) != value})


def _replaced(node: Any, places: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {key: _replaced(value, places) for key, value in node.items()}
    if isinstance(node, list):
        return [_replaced(value, places) for value in node]
    for there, here in places.items() if isinstance(node, str) else ():
        node = node.replace(there, here)
    return node
