"""Killed at any moment and resumed: the same weights bit for bit, the same validation history, the same checkpoint chosen."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from encoders import save_checkpoint

HELPERS = Path(__file__).parents[1] / "helpers"
SMALL = (
    "data.train_pairs=600",
    "data.validation_pairs=120",
    "data.test_pairs=100",
    "model.hidden_size=16",
    "model.num_layers=1",
    "model.vocab_size=400",
    "model.batch_size=25",
    "model.dropout=0.1",
    "monitor=val/nll",  # keeps improving, so that a late checkpoint is chosen
    "trainer.max_epochs=3",
    "trainer.accumulate_grad_batches=2",
    "trainer.val_check_interval=0.5",
    "trainer.checkpoint_every_steps=3",
    "trainer.log_every_steps=2",
    "+callbacks.kill={_target_:killer.Kill}",
)


class Outcome(NamedTuple):
    weights: str
    validations: list[dict[str, str]]
    training: list[tuple[str, str]]
    best: dict


def train(cwd: Path, *overrides: str, kill: str = "never 0 SIGKILL", verb: str = "train") -> subprocess.CompletedProcess[str]:
    paths = [str(HELPERS), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "KILL": kill, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "paraphrase_lab", verb, *overrides]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def outcome(run: Path) -> Outcome:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    validations = [{key: row[key] for key in row if key.startswith("val/") or key == "step"} for row in rows if row["val/nll"]]
    training = [(row["step"], row["train/loss"]) for row in rows if row["train/loss"]]
    weights = hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()
    return Outcome(weights, validations, training, json.loads((run / "run.json").read_text())["best"])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    cwd = tmp_path_factory.mktemp("uninterrupted")
    done = train(cwd, *SMALL, "hydra.run.dir=runs/whole")
    assert done.returncode == 0, done.stderr
    return outcome(cwd / "runs" / "whole")


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param("batch 17 SIGKILL", marks=pytest.mark.slow),
        pytest.param("batch_start 40 SIGKILL", marks=pytest.mark.slow),
        pytest.param("batch 24 SIGKILL", marks=pytest.mark.slow),
        pytest.param("validation 1 SIGKILL", marks=pytest.mark.slow),
        pytest.param("validation 4 SIGKILL", marks=pytest.mark.slow),
        pytest.param("validation_end 2 SIGKILL", marks=pytest.mark.slow),
        pytest.param("validation_end 3 SIGKILL", marks=pytest.mark.slow),
        pytest.param("epoch_end 1 SIGKILL", marks=pytest.mark.slow),
        pytest.param("train_end 0 SIGKILL", marks=pytest.mark.slow),
        pytest.param("batch_start 30 SIGTERM", marks=pytest.mark.slow),
        pytest.param("batch 24 SIGTERM", marks=pytest.mark.slow),
        pytest.param("validation 3 SIGTERM", marks=pytest.mark.slow),
        pytest.param("batch 72 SIGTERM", marks=pytest.mark.slow),
        pytest.param("batch 33 SIGINT", marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(kill: str, uninterrupted: Outcome, tmp_path: Path) -> None:
    killed = train(tmp_path, *SMALL, "hydra.run.dir=runs/killed", kill=kill)
    number = signal.Signals[kill.split()[-1]]
    assert killed.returncode == (-number if number == signal.SIGKILL else 128 + number), killed.stderr
    record = json.loads((tmp_path / "runs" / "killed" / "run.json").read_text())
    assert record["status"] == ("running" if number == signal.SIGKILL else "interrupted")

    resumed = train(tmp_path, *SMALL, "resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    assert "continuing runs/killed (interrupted)" in resumed.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["killed"]
    assert outcome(tmp_path / "runs" / "killed") == uninterrupted
    assert not (tmp_path / "runs" / "killed" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.slow
def test_the_seconds_are_those_of_all_processes(tmp_path: Path) -> None:
    killed = train(tmp_path, *SMALL, "hydra.run.dir=runs/killed", kill="batch 17 SIGTERM")
    assert killed.returncode == 143, killed.stderr
    file = tmp_path / "runs" / "killed" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    (state,) = [state for name, state in checkpoint["callbacks"].items() if name.startswith("ResumeCheckpoint")]
    assert state["seconds"] > 0
    state["seconds"] = 1000.0
    torch.save(checkpoint, file)
    resumed = train(tmp_path, *SMALL, "resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((tmp_path / "runs" / "killed" / "run.json").read_text())["seconds"]["training"] > 1000


@pytest.mark.slow
def test_an_early_stop_is_not_forgotten_by_a_kill_right_after_it(tmp_path: Path) -> None:
    stopping = (*SMALL, "monitor=val/accuracy", "callbacks.early_stopping.patience=1", "optimizer.lr=1e-6")
    whole = train(tmp_path, *stopping, "hydra.run.dir=runs/whole")
    assert whole.returncode == 0, whole.stderr
    expected = outcome(tmp_path / "runs" / "whole")
    assert len(expected.validations) < 6
    killed = train(tmp_path, *stopping, "hydra.run.dir=runs/killed", kill="train_end 0 SIGKILL")  # it stops, and is killed
    assert killed.returncode == -signal.SIGKILL
    resumed = train(tmp_path, *stopping, "resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(tmp_path / "runs" / "killed") == expected


@pytest.mark.slow
def test_resume_auto_leaves_other_configurations_and_other_data_alone(tmp_path: Path) -> None:
    killed = train(tmp_path, *SMALL, "hydra.run.dir=runs/killed", kill="batch 17 SIGKILL")
    assert killed.returncode == -signal.SIGKILL
    other = train(tmp_path, *SMALL, "seed=1", "resume=auto", "hydra.run.dir=runs/other")
    assert other.returncode == 0 and "no interrupted run of this configuration" in other.stderr
    data = (*SMALL, "data=pairs", "data.path=pairs.csv")
    for number, rows in enumerate(("a b,b a", "a b,a c")):
        lines = [f"{rows},{n % 2}\n".replace("a", f"a{n}") for n in range(200)]
        (tmp_path / "pairs.csv").write_text("sentence1,sentence2,label\n" + "".join(lines))
        words = [word for word in data if not word.startswith(("data.train_pairs", "data.validation_pairs", "data.test_pairs"))]
        done = train(tmp_path, *words, "resume=auto", f"hydra.run.dir=runs/{number}", kill="batch 5 SIGTERM")
        assert done.returncode == 143, done.stderr
    assert "runs/0 has the same configuration, but not the same data: left alone" in done.stderr
    changed = train(tmp_path, *SMALL, "seed=2", "resume=runs/killed")
    assert changed.returncode == 2
    assert "runs/killed cannot be continued: since it was interrupted these changed: configuration" in changed.stderr


@pytest.mark.slow
def test_a_killed_sweep_continues_and_keeps_what_is_finished(tmp_path: Path) -> None:
    sweep = ("-m", *SMALL, "seed=3,4", "hydra.sweep.dir=runs/sweep")
    killed = train(tmp_path, *sweep, kill="batch 17 SIGKILL")  # each job in its own process
    assert killed.returncode == 1 and "killed by SIGKILL" in killed.stdout, killed.stderr
    again = train(tmp_path, *sweep)
    assert again.returncode == 0, again.stderr
    for job in ("0", "1"):
        assert "continuing after optimiser step" in (tmp_path / "runs" / "sweep" / job / "train.log").read_text()
    finished = (tmp_path / "runs" / "sweep" / "0" / "run.json").read_text()
    assert json.loads(finished)["status"] == "finished"
    resumed = train(tmp_path, *sweep, "resume=auto")
    assert resumed.returncode == 0 and "2 jobs: 2 reused" in resumed.stdout, resumed.stderr
    assert (tmp_path / "runs" / "sweep" / "0" / "run.json").read_text() == finished


@pytest.mark.slow
def test_adapters_killed_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("peft", reason='needs pip install "paraphrase-lab[lora]"')
    words = [word for word in SMALL if not word.startswith("model.")]
    checkpoint = save_checkpoint(tmp_path / "checkpoint", "bert", dropout=0.1)
    lora = ("model=pretrained", f"model.name={checkpoint}", "model.lora.rank=2", "model.lora.dropout=0.1", "data.max_length=32")
    small = (*words, *lora, "model.batch_size=25", "model.learning_rate=2e-3")
    whole = train(tmp_path, *small, "hydra.run.dir=runs/whole")
    assert whole.returncode == 0, whole.stderr
    killed = train(tmp_path, *small, "hydra.run.dir=runs/killed", kill="batch 41 SIGKILL")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = train(tmp_path, *small, "resume=auto")
    assert resumed.returncode == 0 and "continuing runs/killed (interrupted)" in resumed.stderr, resumed.stderr
    assert outcome(tmp_path / "runs/killed") == outcome(tmp_path / "runs/whole")
