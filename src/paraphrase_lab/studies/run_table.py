"""A study's runs as CSV: what each was, its metrics, and its directory."""

import csv
import io
import os
from pathlib import Path

from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.studies.outcome import StudyOutcome, seconds


def table(outcome: StudyOutcome) -> str:
    """Return CSV with one row per run and every metric of validation and test."""
    keys = list(dict.fromkeys(key for run, _ in outcome.finished for key in run.arm.values))
    metrics = list(dict.fromkeys(name for _, row in outcome.finished for name in row.metrics))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["study", "arm", *keys, "seed", *metrics, "seconds", "run", "fingerprint", "wandb", "commit", "dirty"]
    writer.writerow([*head, "train_data", "test_data"])
    for run, row in outcome.finished:
        git, data = row.record.get("git") or {}, row.record.get("data") or {}
        wandb = ((row.record.get("tracking") or {}).get("wandb") or {}).get("id")
        writer.writerow([
            outcome.study.name, run.arm.name, *(run.arm.values.get(key, "") for key in keys), run.seed,
            *(row.metrics.get(name, "") for name in metrics), round(seconds(row), 1), place(row),
            row.record.get("fingerprint"), wandb, git.get("commit"), git.get("dirty"),
            *((data.get(split) or {}).get("fingerprint") for split in ("train", "test")),
        ])  # fmt: skip
    return file.getvalue()


def place(row: RunRow) -> str:
    """Return the run's directory as it would be typed; outside the working directory, the end of its path."""
    path = Path(row.path)
    here = path.absolute()
    return os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(Path(*path.parts[-2:]))
