"""A training run from the command line: what it leaves behind, and that it repeats itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from checking import composed
from commands import FEW_PAIRS, TINY, paraphrase, record, trained
from paraphrase_lab.configuration.composition import Composer, Request
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.tracking.metrics_csv import MetricsCsv, read_rows
from paraphrase_lab.train import train


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_what_a_run_leaves_behind(tiny_run: Path) -> None:
    names = {str(path.relative_to(tiny_run)) for path in tiny_run.rglob("*") if path.is_file()}
    plots = {"training", "lengths"} | {
        f"{split}_{plot}"
        for split in ("validation", "test")
        for plot in ("confusion", "precision_recall", "reliability", "scores")
    }
    model = {
        f"model/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md")
    }
    expected = {"config.yaml", "run.json", "metrics.csv", "predictions.parquet", "train.log", "checkpoints/best.safetensors"}
    assert names >= expected | model | {f"plots/{name}.png" for name in plots} | {".hydra/overrides.yaml"}
    assert not (tiny_run / "checkpoints" / "last.ckpt").exists()
    assert (tiny_run / "checkpoints" / "best.safetensors").samefile(tiny_run / "model" / "model.safetensors")


def test_the_record(tiny_run: Path) -> None:
    values = record(tiny_run)
    assert values["status"] == "finished" and values["error"] is None and values["seed"] == 0
    assert set(values["fingerprint_parts"]) == {"configuration", "data", "code", "libraries", "device"}
    assert values["versions"]["torch"] == torch.__version__
    assert values["steps"] == 4 and values["resumed"] == 0
    assert set(values["seconds"]) == {"data", "encoding", "training", "evaluation", "writing", "floors"}
    assert values["data"]["train"]["pairs"] == 500
    for name in ("accuracy", "f1", "precision", "recall", "roc_auc", "average_precision", "nll", "brier", "ece"):
        assert f"val_fitted/{name}" in values["metrics"] and f"test/{name}" in values["metrics"]
        assert name in values["baselines"]["test"]["majority"] and name in values["baselines"]["test"]["always_positive"]
    assert set(values["baselines"]["test"]) == {"majority", "always_positive", "bag_of_words", "bigrams", "counts"}
    assert set(values["baselines"]["val_fitted"]) == {"majority", "always_positive"}
    assert 0 <= values["metrics"]["test/ece_if_calibrated"] < 0.5
    config = json.loads((tiny_run / "model" / "config.json").read_text())
    assert config["paraphrase_lab"] == {**values["calibration"], "max_length": 128, "head_is_calibrated": True}


def test_predictions_agree_with_the_metrics(tiny_run: Path) -> None:
    table = pq.read_table(tiny_run / "predictions.parquet").to_pandas()
    values = record(tiny_run)
    for split, prefix in (("validation", "val_fitted"), ("test", "test")):
        rows = table[table["split"] == split]
        assert len(rows) == 100
        assert (rows["label"] == rows["prediction"]).mean() == pytest.approx(values["metrics"][f"{prefix}/accuracy"])
        assert ((rows["probability"] >= values["calibration"]["threshold"]) == rows["prediction"].astype(bool)).all()


@pytest.mark.slow
def test_equal_runs_have_equal_weights_and_seed_0_is_a_seed(tiny_run: Path, tmp_path: Path) -> None:
    assert trained(tmp_path / "again") == 0
    assert trained(tmp_path / "other", "seed=1") == 0
    assert weights(tmp_path / "again") == weights(tiny_run)
    assert weights(tmp_path / "other") != weights(tiny_run)
    assert record(tmp_path / "again")["fingerprint"] == record(tiny_run)["fingerprint"]
    assert record(tmp_path / "other")["fingerprint"] != record(tiny_run)["fingerprint"]


def test_the_number_of_threads_is_the_configurations(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    assert trained(tmp_path / "run", f"trainer.cpu_threads={before + 2}", "trainer.max_steps=1") == 0
    assert record(tmp_path / "run")["device"]["threads"] == before + 2
    assert torch.get_num_threads() == before


def test_a_run_is_not_overwritten(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = weights(tiny_run)
    assert trained(tiny_run) == 2
    assert f"{tiny_run} holds a run already (finished)" in capsys.readouterr().err
    assert weights(tiny_run) == before and record(tiny_run)["status"] == "finished"


@pytest.mark.parametrize(
    ("profiler", "known"), [("simple", "run_training_batch"), pytest.param("advanced", "tottime", marks=pytest.mark.slow)]
)
def test_a_profile_is_in_the_run(profiler: str, known: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "run" / "fit-profile.txt"
    profile.parent.mkdir()
    profile.write_text("of the training that was interrupted", encoding="utf-8")
    assert trained(tmp_path / "run", f"trainer.profiler={profiler}") == 0
    text = profile.read_text(encoding="utf-8")
    assert known in text and "interrupted" not in text
    assert f"where the time went: {profile}" in capsys.readouterr().out


def test_a_trial_of_a_search_leaves_test_alone_and_keeps_no_weights(tmp_path: Path) -> None:
    with Composer(Request()) as composer:
        config = composed(composer, [*TINY, *FEW_PAIRS, "trainer.progress=false"])
    run = tmp_path / "trial"
    run.mkdir()
    assert train(config, run, searching=True) == record(run)["best"]["value"]
    values = record(run)
    assert not any(name.startswith("test/") for name in values["metrics"]) and values["model"] is None
    assert not (run / "model").exists() and not (run / "checkpoints").exists()


def test_an_override_is_composed_twice_and_the_configuration_resolved_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to be checked and once by Hydra, which hands the run what it composed."""
    composed: list[str] = []
    resolved: list[object] = []
    apply, to_container = ConfigLoaderImpl._apply_overrides_to_config, OmegaConf.to_container

    def counted_apply(overrides: list[Override], config: DictConfig) -> None:
        composed.extend(override.key_or_group for override in overrides)
        apply(overrides, config)

    def counted_to_container(config: DictConfig, **keywords: Any) -> Any:
        if keywords.get("resolve") and "optimizer" in config:
            resolved.append(config)
        return to_container(config, **keywords)

    def counted_train(config: DictConfig, directory: Path, *, searching: bool) -> float | None:
        resolved.clear()  # those of the check
        return train(config, directory, searching=searching)

    monkeypatch.setattr(ConfigLoaderImpl, "_apply_overrides_to_config", staticmethod(counted_apply))
    monkeypatch.setattr(OmegaConf, "to_container", staticmethod(counted_to_container))
    monkeypatch.setattr("paraphrase_lab.train.train", counted_train)
    assert trained(tmp_path / "run", "optimizer.lr=1e-3") == 0
    assert composed.count("optimizer.lr") == 2
    assert len(resolved) == 1
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [("model.swap_augmentation=true",), ("model.consistency_weight=1.0",)])
def test_both_orders(overrides: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert trained(tmp_path / "run", *overrides, "model.gradient_checkpointing=true", "model.layer_decay=0.8") == 0
    pairs = record(tmp_path / "run")["batches"]
    assert pairs["per_epoch"] == (32 if "swap" in overrides[0] else 16)
    assert record(tmp_path / "run")["metrics"]["val_fitted/nll"] > 0


@pytest.mark.slow
def test_overfitting_32_pairs(tmp_path: Path) -> None:
    words = ("debug=overfit", "trainer.max_steps=-1", "data.batch_size=32", "model.hidden_size=64", "model.learning_rate=3e-3")
    assert trained(tmp_path / "run", *words) == 0
    rows = [row for row in read_rows(tmp_path / "run" / "metrics.csv") if row["train/loss"]]
    assert float(rows[-1]["train/loss"]) < 0.02 < 0.3 < float(rows[0]["train/loss"])


def test_metrics_csv_continues_after_a_resume(tmp_path: Path) -> None:
    first = MetricsCsv(tmp_path)
    first.log_metrics({"train/loss": 1.0}, 2)
    first.log_metrics({"val/f1": 0.5, "step": 4.0}, 4)
    first.log_metrics({"train/loss": 0.7}, 6)
    second = MetricsCsv(tmp_path)
    second.forget_after(4)
    second.log_metrics({"train/loss": 0.6, "own": 3.0}, 6)
    rows = read_rows(tmp_path / "metrics.csv")
    assert [(row["step"], row["train/loss"], row["val/f1"], row["own"]) for row in rows] == [
        ("2", "1.0", "", ""), ("4", "", "0.5", ""), ("6", "0.6", "", "3.0"),
    ]  # fmt: skip


def test_a_record_of_a_dead_process_is_interrupted(tmp_path: Path) -> None:
    run = RunRecord(tmp_path / "run")
    run.start(seed=0)
    run.values["process"]["pid"] = 2**22 + 1  # above the largest process number
    assert run.status == "interrupted"
    run.values["process"] = {"pid": 1, "host": run.values["process"]["host"]}
    assert run.status == "running"


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_effective_batch(tmp_path: Path) -> None:
    common = [*FEW_PAIRS, *TINY, "trainer.max_steps=-1", "data.epochs=2", "data.batch_size=20", "monitor=val/nll"]
    runs = {
        "one": ["trainer.accumulate_grad_batches=2"],
        "two": ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"],
    }
    for name, overrides in runs.items():
        command = [sys.executable, "-m", "paraphrase_lab", "train", *common, *overrides, f"hydra.run.dir={name}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one, two = (read_rows(tmp_path / name / "metrics.csv") for name in runs)
    for column in ("val/accuracy", "val/nll", "val/roc_auc"):
        values = [[float(row[column]) for row in rows if row[column]] for rows in (one, two)]
        np.testing.assert_allclose(values[0], values[1], rtol=1e-5)
    assert record(tmp_path / "two")["metrics"] == pytest.approx(record(tmp_path / "one")["metrics"], rel=1e-4)
    assert {path.name for path in (tmp_path / "two").glob("*.log")} == {"train.log"}
    assert len(list(tmp_path.rglob("run.json"))) == 2


@pytest.mark.slow
def test_a_sweep_of_two_processes_each(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paraphrase_lab", "train", "-m", *FEW_PAIRS, *TINY, "seed=0,1", "hydra.sweep.dir=sweep"]
    done = subprocess.run(
        [*command, "trainer=ddp", "trainer.devices=2"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert [record(tmp_path / "sweep" / job)["status"] for job in ("0", "1")] == ["finished", "finished"]
    assert {path.name for path in tmp_path.iterdir()} == {"sweep", "runs"}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [".jobs"]


@pytest.mark.slow
def test_the_data_verb_on_real_pairs(tmp_path: Path, paws_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert paraphrase("data", "data=paws", f"data.path={paws_dir}") == 0
    report = json.loads((tmp_path / "data-report" / "paws" / "report.json").read_text())
    assert set(report["splits"]) == {"train", "validation", "test"}
    assert (tmp_path / "data-report" / "paws" / "data.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_short_training_on_real_pairs(tmp_path: Path, paws_dir: Path) -> None:
    run = tmp_path / "run"
    words = ("experiment=paws_tiny_from_scratch", f"data.path={paws_dir}", "trainer.max_steps=20", f"hydra.run.dir={run}")
    assert paraphrase("train", *words) == 0
    assert record(run)["data"]["test"]["pairs"] > 1000 and record(run)["metrics"]["test/accuracy"] > 0.4
