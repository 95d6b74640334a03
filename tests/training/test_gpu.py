"""What only a GPU shows: precision, exact repetition and resume, where the scores are computed, memory that runs out, NCCL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from commands import FEW_PAIRS, TINY, paraphrase, record
from paraphrase_lab.lifecycle import evaluation

pytestmark = pytest.mark.gpu

HELPERS = Path(__file__).parents[1] / "helpers"
ON_GPU = tuple(word for word in TINY if not word.startswith(("trainer.accelerator", "trainer.precision")))
SMALL = (
    *FEW_PAIRS, *ON_GPU, "model.dropout=0.1", "trainer.max_steps=40", "data.epochs=3", "trainer.checkpoint_every_steps=3",
    "trainer.deterministic=true", "monitor=val/nll", "+callbacks.kill={_target_:killer.Kill}",
)  # fmt: skip


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def train(
    cwd: Path, *words: str, kill: str = "never 0 SIGKILL", starter: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", *starter, "paraphrase_lab", "train", *words]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "KILL": kill, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("gpu") / "run"
    assert paraphrase("train", *ON_GPU, *FEW_PAIRS, f"hydra.run.dir={directory}") == 0
    return directory


def test_the_gpu_and_its_half_precision_are_taken_unasked(run: Path) -> None:
    values = record(run)
    half = "bf16-mixed" if torch.cuda.get_device_capability(0) >= (8, 0) else "16-mixed"
    assert (values["device"]["kind"], values["precision"]["used"]) == ("gpu", half)
    assert values["device"]["name"] == torch.cuda.get_device_name(0)


def test_the_final_scores_are_computed_on_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = []
    score = evaluation.score

    def watched(encoder: Any, *arguments: Any, **named: Any) -> Any:
        places.append(next(encoder.parameters()).device.type)
        return score(encoder, *arguments, **named)

    monkeypatch.setattr(evaluation, "score", watched)
    assert paraphrase("train", *ON_GPU, *FEW_PAIRS, f"hydra.run.dir={tmp_path / 'run'}") == 0
    assert places and set(places) == {"cuda"}


def test_the_scores_are_those_of_a_cpu(run: Path, tmp_path: Path) -> None:
    """In float32, as the final scores are unless asked otherwise."""
    given, scored = run / "predictions.parquet", tmp_path / "cpu.parquet"
    command = [sys.executable, "-m", "paraphrase_lab", "predict", str(run), "--input", str(given), "--output", str(scored)]
    subprocess.run(command, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, check=True, timeout=300)
    on_gpu, on_cpu = (pq.read_table(file)["probability"].to_numpy() for file in (given, scored))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


@pytest.mark.parametrize("precision", ["auto", "16-mixed", "32"])
def test_killed_and_resumed_equals_uninterrupted(precision: str, tmp_path: Path) -> None:
    words = (*SMALL, f"trainer.precision={precision}")
    whole = train(tmp_path, *words, "hydra.run.dir=whole")
    assert whole.returncode == 0, whole.stderr
    killed = train(tmp_path, *words, "hydra.run.dir=runs/killed", kill="batch 20 SIGKILL")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = train(tmp_path, *words, "resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    killed_run = tmp_path / "runs" / "killed"
    assert "continuing after optimiser step 18" in (killed_run / "train.log").read_text(encoding="utf-8")
    assert weights(killed_run) == weights(tmp_path / "whole")


def test_memory_that_runs_out_names_what_needs_less(tmp_path: Path) -> None:
    limited = "import torch; torch.cuda.set_per_process_memory_fraction(0.002); from paraphrase_lab.cli import main; main()"
    words = (
        "model.hidden_size=512",
        "model.num_layers=8",
        "data.batch_size=512",
        "data.train_pairs=4000",
        "trainer.max_steps=4",
    )
    command = [sys.executable, "-c", limited, "train", *words, f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "ran out of memory after optimiser step 0 (CUDA out of memory. Tried to allocate" in done.stderr
    assert "data.batch_size=256 trainer.accumulate_grad_batches=2 halves what a batch needs" in done.stderr
    assert "out of memory" in record(tmp_path / "run")["error"]


def test_one_process_per_gpu_over_nccl(tmp_path: Path) -> None:
    count = torch.cuda.device_count()
    starter = ("torch.distributed.run", f"--nproc-per-node={count}", "-m")
    words = (*ON_GPU, *FEW_PAIRS, "trainer=ddp", f"trainer.devices={count}", "hydra.run.dir=run")
    done = train(tmp_path, *words, starter=starter)
    assert done.returncode == 0, done.stderr
    assert record(tmp_path / "run")["device"]["count"] == count
    assert "AccumulateGrad" not in done.stderr
