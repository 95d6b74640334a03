"""Runs with adapters: what they leave behind, and every command that reads them."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from commands import paraphrase, record
from encoders import save_checkpoint
from paraphrase_lab.check.saved_config import saved_config

pytest.importorskip("peft", reason='needs pip install "paraphrase-lab[lora]"')

FEW = ("data.train_pairs=300", "data.validation_pairs=100", "data.test_pairs=100", "data.max_length=32", "data.batch_size=25")
ON_CPU = ("trainer.precision=32", "trainer.accelerator=cpu", "logger=csv")
LORA = (
    "model=pretrained", "model.lora.rank=2", "model.lora.dropout=0.1", "model.learning_rate=5e-3", "model.layer_decay=0.9",
    "model.gradient_checkpointing=true", *FEW, *ON_CPU,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "bert", "bert", dropout=0.1)


@pytest.fixture(scope="module")
def run(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lora")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARAPHRASE_CACHE_DIR", str(directory / "cache"))
        words = (*LORA, f"model.name={checkpoint}", "trainer.max_epochs=1", f"hydra.run.dir={directory / 'run'}")
        assert paraphrase("train", *words) == 0
    return directory / "run"


def test_a_plain_model_is_left_whose_frozen_weights_are_those_of_the_start(run: Path, checkpoint: Path) -> None:
    start, end = (load_file(place / "model.safetensors") for place in (checkpoint, run / "model"))
    assert start.keys() == end.keys() and not (run / "model" / "adapter_config.json").exists()
    changed = {name for name in start if not torch.equal(start[name], end[name])}
    is_layer = (".query.weight", ".key.weight", ".value.weight", ".dense.weight")
    assert changed == {"classifier.weight", "classifier.bias", *(name for name in start if name.endswith(is_layer))}
    values = record(run)
    assert values["parameters"] == sum(value.numel() for value in start.values())
    assert 0 < values["trained_parameters"] < values["parameters"] / 4
    assert values["config"]["model.lora.rank"] == 2 and values["versions"]["peft"] == version("peft")
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert "| `model.lora.rank` | `2` |" in card and "`model.lora.alpha`" not in card


def test_the_commands_that_read_a_run(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert paraphrase("evaluate", str(run)) == 0
    (file,) = (run / "evaluations").glob("test-*/metrics.json")
    evaluated = json.loads(file.read_text())["metrics"]
    for name in ("test/accuracy", "test/nll", "test/flip_rate"):
        assert evaluated[name] == pytest.approx(record(run)["metrics"][name], abs=1e-6), "the numbers are those of the export"
    assert paraphrase("predict", str(run), "A dog bit a man.", "A man bit a dog.") == 0
    again = tmp_path / "again"
    capfd.readouterr()
    assert paraphrase("rerun", str(run), f"hydra.run.dir={again}") == 0
    assert f"the same numbers as {run}" in "".join(capfd.readouterr())
    assert paraphrase("compare", str(run), str(again), "--resamples", "100") == 0


def test_a_further_training_starts_at_the_merged_model(run: Path, tmp_path: Path) -> None:
    words = (*LORA, f"model.name={run}", "trainer.max_steps=2", f"hydra.run.dir={tmp_path / 'further'}")
    assert paraphrase("train", *words) == 0
    assert record(tmp_path / "further")["status"] == "finished"


def test_an_architecture_that_keeps_its_activations(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = save_checkpoint(tmp_path / "mpnet", "mpnet")
    assert paraphrase("train", *LORA, f"model.name={start}", f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert "MPNetForSequenceClassification of transformers does not support it" in capfd.readouterr().err


def test_a_run_of_before_the_key_had_no_adapters(run: Path, tmp_path: Path) -> None:
    config = OmegaConf.load(run / "config.yaml")
    del config.model["lora"]
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    OmegaConf.save(config, tmp_path / "config.yaml")
    assert saved_config(tmp_path).model.lora == {
        "rank": None, "alpha": None, "dropout": 0.0, "target_modules": None, "use_rslora": False, "use_dora": False,
    }  # fmt: skip


def test_averaged_weights(checkpoint: Path, tmp_path: Path) -> None:
    averaged = "+callbacks.average={_target_: pytorch_lightning.callbacks.EMAWeightAveraging, decay: 0.5}"
    words = (*LORA, f"model.name={checkpoint}", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'run'}", averaged)
    assert paraphrase("train", *words) == 0
    start, end = (load_file(place / "model.safetensors") for place in (checkpoint, tmp_path / "run" / "model"))
    name = "bert.embeddings.word_embeddings.weight"
    np.testing.assert_array_equal(start[name], end[name])
    assert not torch.equal(start["classifier.weight"], end["classifier.weight"])
