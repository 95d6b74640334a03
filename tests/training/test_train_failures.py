"""Trainings that fail: the message, the record, and the remedies that are tried first."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from commands import TINY, paraphrase, record, trained
from paraphrase_lab.model.module import PairClassifier
from paraphrase_lab.runs.record import RunRecord


class NotANumber(nn.Module):
    """A loss that breaks at its second batch."""

    def __init__(self, label_smoothing: float, class_weights: None) -> None:
        super().__init__()
        self.batches = 0

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.batches += 1
        return logits.sum() * (math.nan if self.batches == 2 else 0.0)


class TooBig(NotANumber):
    """A loss that finds no memory, as torch says it, at its third batch."""

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.batches += 1
        if self.batches == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of …")
        return logits.sum() * 0.0


class Broken(nn.Module):
    def __init__(self, label_smoothing: float, class_weights: None) -> None:
        super().__init__()

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the first line\nthe last line")


def test_a_loss_that_is_not_a_number_stops_the_run_and_names_its_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path / "run", "loss._target_=test_train_failures.NotANumber", "trainer.log_every_steps=2") == 1
    assert "the training loss became infinite or not a number by optimiser step 2" in capsys.readouterr().err
    saved = json.loads((tmp_path / "run" / "non_finite_loss.json").read_text())
    assert saved["step"] == 2 and 40 <= len(saved["pairs"]) <= 90
    assert {"id", "sentence1", "sentence2"} == set(saved["pairs"][0])
    assert record(tmp_path / "run")["status"] == "failed"


def test_a_loss_that_is_not_a_number_is_noticed_before_a_validation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "loss._target_=test_train_failures.NotANumber",
        "trainer.log_every_steps=1000",
        "trainer.max_steps=-1",
        "data.epochs=1",
    )
    assert trained(tmp_path / "run", *words) == 1
    assert "became infinite or not a number by optimiser step 16" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "run" / "non_finite_loss.json").read_text())["pairs"]) == 500


@pytest.mark.parametrize(
    ("overrides", "smaller"),
    [
        ((), "data.batch_size=16 trainer.accumulate_grad_batches=2"),
        (("data.batch_size=null", "data.batch_tokens=600"), "data.batch_tokens=300 trainer.accumulate_grad_batches=2"),
    ],
)
def test_a_gpu_without_memory_is_told_how_to_train_with_less(
    overrides: tuple[str, ...], smaller: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path / "run", "loss._target_=test_train_failures.TooBig", *overrides) == 1
    said = (
        "ran out of memory after optimiser step 2 (CUDA out of memory. Tried to allocate 20.00 GiB): "
        f"{smaller} halves what a batch needs, with as many pairs a step; model.gradient_checkpointing=true"
    )
    assert said in capsys.readouterr().err and said in record(tmp_path / "run")["error"]


def test_an_architecture_that_keeps_its_activations_is_not_told_to_drop_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("transformers.ModernBertForSequenceClassification.supports_gradient_checkpointing", False)
    assert trained(tmp_path / "run", "loss._target_=test_train_failures.TooBig") == 1
    said = capsys.readouterr().err
    assert "halves what a batch needs" in said and "gradient_checkpointing" not in said


def test_a_validation_without_memory_continues_with_smaller_batches(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, largest = PairClassifier.logits, []

    def at_most_30_pairs(self: PairClassifier, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        if not self.training and len(batch["input_ids"]) > 30:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        largest.append(len(batch["input_ids"]))
        return fits(self, batch)

    monkeypatch.setattr(PairClassifier, "logits", at_most_30_pairs)
    assert trained(tmp_path / "run", "data.evaluation_batch_tokens=100000") == 0
    assert 20 < max(largest) <= 64
    values, whole = record(tmp_path / "run"), record(tiny_run)
    assert values["best"]["value"] == whole["best"]["value"]
    assert values["metrics"]["val_fitted/nll"] == pytest.approx(whole["metrics"]["val_fitted/nll"], rel=1e-5)


def test_a_failure_is_recorded_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the last line"):
        trained(tmp_path / "run", "loss._target_=test_train_failures.Broken")
    values = record(tmp_path / "run")
    assert values["status"] == "failed" and values["error"] == "RuntimeError: the last line"


def test_bad_rows_end_with_2_or_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"the {a} saw the {b}\tthe {b} saw the {a}\t{(a + b) % 2}" for a in range(20) for b in range(5)]
    rows[7] = "half a row"
    rows[9] = "a\tb\tmaybe"
    (tmp_path / "train.tsv").write_text("\n".join(["sentence1\tsentence2\tlabel", *rows]) + "\n")
    words = ("train", *TINY, "data=pairs", f"data.path={tmp_path}", "data.clusters_together=false")
    assert paraphrase(*words, f"hydra.run.dir={tmp_path / 'strict'}") == 2
    error = capsys.readouterr().err
    assert "train.tsv:9: ragged line" in error and "train.tsv:11: the label is none of 0, 1: 'maybe'" in error
    assert paraphrase(*words, "data.on_bad_rows=skip", f"hydra.run.dir={tmp_path / 'lenient'}") == 0
    assert record(tmp_path / "lenient")["bad_rows"] == 2
    assert len((tmp_path / "lenient" / "bad_rows.csv").read_text().splitlines()) == 3
    assert "test/accuracy" in record(tmp_path / "lenient")["metrics"]  # cut off train, the only split


def test_a_run_in_the_hands_of_another_process_is_left_alone(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = RunRecord(tmp_path / "run")
    other.start(seed=0)
    other.update(process={"pid": os.getppid(), "host": socket.gethostname()})
    assert trained(tmp_path / "run", f"resume={tmp_path / 'run'}") == 2
    assert "is being trained by another process" in capsys.readouterr().err
    assert record(tmp_path / "run")["status"] == "running"
