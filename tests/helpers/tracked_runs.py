"""What the tests of tracking share: trainings as processes, and what they have left in W&B's own format."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import Callback

from commands import FEW_PAIRS, TINY, paraphrase

TESTS = Path(__file__).parent
KEPT_HERE = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_ARTIFACT_DIR", "WANDB_DIR")
SMALL = (*TINY, *FEW_PAIRS, "trainer.log_every_steps=1", "logger=wandb")
LONGER = (
    *SMALL, "trainer.max_steps=24", "trainer.val_check_interval=0.25", "trainer.checkpoint_every_steps=5",
    "trainer.log_every_steps=2", "+callbacks.kill={_target_:killer.Kill}",
)  # fmt: skip
"""16 optimiser steps an epoch, a validation every 4."""


def here(run_dir: Path, *words: str) -> int:
    """In this process; the exit code."""
    return paraphrase("train", *SMALL, f"hydra.run.dir={run_dir}", *words)


def started(cwd: Path, *words: str, kill: str = "never 0 SIGKILL", **variables: str) -> subprocess.Popen[str]:
    """In a process of its own."""
    paths = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "KILL": kill, "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, "-m", "paraphrase_lab", "train", *words]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def ended(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


def record(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "run.json").read_text(encoding="utf-8"))


def logged_steps(run_dir: Path) -> list[int]:
    """Return the steps in metrics.csv, each once."""
    with (run_dir / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return sorted({int(row["step"]) for row in csv.DictReader(file)})


def steps(history: list[dict[str, Any]]) -> list[int]:
    """Return the steps of the rows that are points of a curve, in their order."""
    return [row["trainer/global_step"] for row in history if "train/loss" in row or "val/nll" in row]


def inspected(attempt: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(attempt.absolute())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=attempt.parent.parent)
    return [json.loads(line) for line in done.stdout.splitlines()]


def synced(*attempts: Path) -> str:
    places = [str(attempt.absolute()) for attempt in attempts]
    command = [sys.executable, "-m", "wandb", "sync", "--yes", "--no-skip-online", *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=attempts[0].parent.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Slow(Callback):
    """A training that takes its time."""

    def __init__(self, seconds: float, **unused: Any) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        time.sleep(self.seconds)


class KillClient(Callback):
    """W&B's client is a process of its own, which anything may end: memory, an administrator."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx != 5:
            return
        for status in Path("/proc").glob("[0-9]*/status"):
            words = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if words["PPid"] == str(os.getpid()) and words["Name"].startswith("wandb-core"):
                os.kill(int(words["Pid"]), signal.SIGKILL)
        time.sleep(0.5)


class StopWhileSending(Callback):
    """Ctrl-C or a reclaimed machine once the run is finished and its weights are being sent."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        run = next(logger for logger in trainer.loggers if hasattr(logger, "log_outcome"))

        def sending(*args: Any, **kwargs: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

        run.log_outcome = sending
