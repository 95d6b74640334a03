"""Disks that are full and places that cannot be written: found before the work where possible, and nothing computed is lost."""

from __future__ import annotations

import errno
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from commands import FEW_PAIRS, TINY, paraphrase, record, trained
from paraphrase_lab.lifecycle import evaluation
from paraphrase_lab.scoring.partial import PartialScores
from paraphrase_lab.storage import storage_fault


def full(*arguments: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def own_run(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "own", ignore=shutil.ignore_patterns("evaluations")))


@pytest.mark.slow
def test_a_training_without_room_for_a_checkpoint_keeps_the_best_weights(tmp_path: Path) -> None:
    """A real limit: no file of the process may grow beyond it, which the weights stay below and last.ckpt does not."""
    limit = 137200
    words = [*TINY, *FEW_PAIRS, "trainer.val_check_interval=0.125", "logger=none", "hydra.run.dir=run"]
    done = subprocess.run(
        [sys.executable, "-m", "paraphrase_lab", "train", *words], cwd=tmp_path, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    printed = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in printed, printed
    assert "cannot be written: file too large; the best weights so far are run/checkpoints/best-" in printed
    found = record(tmp_path / "run")
    assert found["status"] == "failed" and found["error"].startswith("TrainingError:")
    (kept,) = (tmp_path / "run" / "checkpoints").iterdir()
    with safe_open(kept, framework="pt") as weights:
        assert list(weights.keys())


def test_metrics_are_printed_and_the_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(evaluation.pq, "write_table", full)
        assert trained(run, "logger=none", "trainer.checkpoint_every_steps=2") == 1
    printed = "".join(capfd.readouterr())
    assert "│ accuracy" in printed and f"the same command with resume={run} continues after the last checkpoint" in printed
    assert record(run)["status"] == "failed" and "test/accuracy" in record(run)["metrics"]
    assert not list(run.rglob("*.tmp")) and not (run / "predictions.parquet").exists()
    assert trained(run, "logger=none", "trainer.checkpoint_every_steps=2", f"resume={run}") == 0
    assert record(run)["status"] == "finished" and (run / "predictions.parquet").is_file()


def test_no_room_for_the_first_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("paraphrase_lab.lifecycle.space.free_bytes", lambda directory: 1000)
    assert trained(tmp_path / "run", "logger=none") == 2
    assert "run has 1.0 kB of free space, and the first checkpoint of this run takes " in "".join(capfd.readouterr())
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_evaluation_prints_what_it_cannot_write(
    own_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation.pq, "write_table", full)
    assert paraphrase("evaluate", str(own_run)) == 1
    printed = "".join(capfd.readouterr())
    assert "│ accuracy" in printed and "cannot be written: the disk is full" in printed
    assert len(list(own_run.glob("evaluations/*/metrics.json"))) == 1 and not list(own_run.glob("evaluations/*/*.parquet"))


def test_an_evaluation_elsewhere(own_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (own_run / "evaluations").write_text("in the way")
    assert paraphrase("evaluate", str(own_run)) == 2
    assert "is not a directory\n--output DIR writes the evaluation elsewhere" in "".join(capfd.readouterr())
    assert paraphrase("evaluate", str(own_run), "--output", str(tmp_path / "there")) == 0
    assert {file.name for file in (tmp_path / "there").glob("test-*/*")} >= {"metrics.json", "predictions.parquet", "plots"}


@pytest.mark.parametrize("words", [("hydra.run.dir={file}/run",), ("-m", "seed=0,1", "hydra.sweep.dir={file}/sweep")])
def test_a_training_below_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert paraphrase("train", *TINY, *FEW_PAIRS, *(word.format(file=file) for word in words)) == 2
    printed = "".join(capfd.readouterr())
    assert f"cannot be made: {file} is not a directory" in printed and "Traceback" not in printed


def test_scores_continue_after_a_full_disk(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("sentence1,sentence2\n" + "a b,b a\n" * 6)
    words = ("predict", str(own_run), "--input", str(tmp_path / "in.csv"), "--chunk-rows", "2", "--output")
    out = tmp_path / "out.csv"
    save = PartialScores.save
    with monkeypatch.context() as patch:
        patch.setattr(PartialScores, "save", lambda self, chunk, *scores: (full if chunk == 2 else save)(self, chunk, *scores))
        assert paraphrase(*words, str(out)) == 1
    assert f"the same command continues with the scores that are kept in {out}.partial" in "".join(capfd.readouterr())
    assert not out.exists() and paraphrase(*words, str(out)) == 0 and len(out.read_text().splitlines()) == 7
    assert paraphrase(*words, str(out / "below.csv")) == 2
    assert f"{out} cannot be made: {out} is not a directory" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), "/a/b cannot be written: it is read-only"),
        (RuntimeError("I/O error: Permission denied (os error 13)"), "/run cannot be written: permission denied"),
        (OSError(errno.ENOENT, "No such file", "/a/b"), None),
        (RuntimeError("another error"), None),
    ],
)
def test_which_errors_are_the_file_systems(error: Exception, text: str | None) -> None:
    assert storage_fault(error, Path("/run")) == text
