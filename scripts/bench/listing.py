"""How long does `paraphrase runs` take on a thousand runs, from the shell's prompt to the last line?

Question: are 1,000 runs listed in less than 2 seconds, without an index?
Cost:     under a minute, 130 MB in a temporary directory; no training and no network. The records are as long as real ones,
          and beside each lie as many files as beside a real one.
Command:  python scripts/bench/listing.py
          Every row is a process of its own, its start and its imports included; the files are in the page cache, as they are
          when somebody has just trained.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from paraphrase_lab.configuration.composition import Composer, without_hydra
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER, PROBE_HIGHER_IS_BETTER
from paraphrase_lab.runs.configuration import GROUPS, flat, follows

JOBS_OF_A_SWEEP = 20
RATES = (1e-4, 2e-4, 5e-4, 1e-3)
BESIDE = {".hydra": 3, ".job": 4, "checkpoints": 1, "model": 6, "plots": 10, ".": 4}
"""How many files a run has in which directory."""
COMMANDS = {
    "runs": (),
    "runs --where --sort": ("--where", "num_layers=2 and test/f1>0.7", "--sort", "-test/f1"),
    "runs --csv": ("--csv",),
    "runs --json": ("--json",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.runs:,} runs in sweeps of {JOBS_OF_A_SWEEP}; seconds of {arguments.repeats} processes")
    for column in ("command", "median", "longest", "median of CPU time"):
        table.add_column(column, justify="left" if column == "command" else "right")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        write_runs(root, arguments.runs)
        for name, words in COMMANDS.items():
            taken, computed = zip(*(seconds("runs", str(root), *words) for _ in range(arguments.repeats)), strict=True)
            figures = (statistics.median(taken), max(taken), statistics.median(computed))
            table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)


def seconds(*words: str) -> tuple[float, float]:
    """Return the seconds of a process: on the clock, and at work, which other processes do not lengthen much."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "COLUMNS": "120"}
    subprocess.run([sys.executable, "-m", "paraphrase_lab", *words], env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def write_runs(root: Path, number: int) -> None:
    with Composer() as composer:
        composed = composer.base([], with_hydra=True)
    choices = dict(composed.hydra.runtime.choices)
    plain = without_hydra(composed)
    raw, resolved = (OmegaConf.to_container(plain, resolve=resolve) for resolve in (False, True))
    assert isinstance(raw, dict) and isinstance(resolved, dict)
    known: dict[str, Any] = {
        "config": flat(resolved), "follows": follows(raw), "choices": {group: choices.get(group) for group in GROUPS},
    }  # fmt: skip
    for job in range(number):
        sweep = job // JOBS_OF_A_SWEEP
        name = f"2026-11-{1 + sweep % 28:02d}/{sweep % 24:02d}-{sweep % 60:02d}-00-000000_sweep"
        directory = root / name / str(job % JOBS_OF_A_SWEEP)
        for below, files in BESIDE.items():
            (directory / below).mkdir(parents=True, exist_ok=True)
            for file in range(files):
                (directory / below / f"{file}.bin").write_bytes(b"-")
        (directory / "run.json").write_text(json.dumps(record(known, job), indent=2), encoding="utf-8")


def record(known: dict[str, Any], job: int) -> dict[str, Any]:
    layers, rate, seed = 1 + job % 2, RATES[job // 2 % len(RATES)], job // 8
    names = [*HIGHER_IS_BETTER, *PROBE_HIGHER_IS_BETTER]
    metrics = {
        f"{split}/{name}": 0.5 + (job * 37 + place) % 499 / 1_000
        for split in ("val_fitted", "test")
        for place, name in enumerate(names)
    }
    hashes = {split: f"{split:->64}" for split in ("train", "validation", "test")}
    return {
        "status": "finished", "error": None, "started": f"2026-01-01T00:{job // 60 % 60:02d}:{job % 60:02d}+00:00",
        "updated": "2026-01-02T00:00:00+00:00", "seed": seed, **known,
        "config": {
            **known["config"], "seed": seed, "model.num_layers": layers, "model.learning_rate": rate, "optimizer.lr": rate,
        },
        "overrides": [f"seed={seed}", f"model.num_layers={layers}", f"optimizer.lr={rate}"],
        "fingerprint": f"{job:064d}", "fingerprint_parts": {"data": hashes, "libraries": {name: "1.0.0" for name in names}},
        "git": {"commit": 40 * "0", "dirty": False}, "best": {"monitor": "val/accuracy", "value": 0.9, "step": 100},
        "data": {split: {"pairs": 1_000, "positive_rate": 0.5, "fingerprint": value} for split, value in hashes.items()},
        "metrics": metrics,
        "baselines": {split: {"majority": metrics, "always_positive": metrics} for split in ("val_fitted", "test")},
        "seconds": {"data": 1.0, "training": 100.0, "evaluation": 1.0},
    }  # fmt: skip


if __name__ == "__main__":
    main()
