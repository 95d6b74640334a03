"""Lightning's averages of weights are validated, kept and exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pytorch_lightning.callbacks import Callback, StochasticWeightAveraging
from safetensors.torch import load_file

from commands import FEW_PAIRS, TINY, paraphrase, record

SEEN: list[dict[str, torch.Tensor]] = []
MODULE = "from test_averaging import RecordedAverage as Recorded, RecordedSteps as Steps"


class RecordedSteps(Callback):
    """Keeps the encoder's weights after every optimiser step."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        SEEN.append(copied(pl_module.encoder))


class RecordedAverage(StochasticWeightAveraging):
    """Keeps the weights that it averaged."""

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_end(trainer, pl_module)
        SEEN.append(copied(pl_module.encoder))


def copied(encoder: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in encoder.state_dict().items()}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARAPHRASE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "mylab_averages.py").write_text(MODULE)
    SEEN.clear()

    def train(*words: str) -> Path:
        data = [*FEW_PAIRS, "optimizer.lr=0.01", "trainer.max_steps=-1", "trainer.max_epochs=3"]
        small = [word for word in TINY if "max_steps" not in word]
        assert paraphrase("train", *small, *data, "hydra.run.dir=run", *words) == 0
        return tmp_path / "run"

    return train


def exported(run: Path) -> dict[str, torch.Tensor]:
    """Weights below the head, which the calibration changes."""
    weights = load_file(run / "model" / "model.safetensors")
    return {name: value for name, value in weights.items() if not name.startswith("classifier")}


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("averaging", ["EMAWeightAveraging,decay:0.9", pytest.param("WeightAveraging", marks=pytest.mark.slow)])
def test_the_exported_weights_are_the_running_average(averaging: str, trained: Any) -> None:
    callback = f"+callbacks.average={{_target_:pytorch_lightning.callbacks.{averaging}}}"
    run = trained(callback, "+callbacks.steps={_target_:mylab_averages.Steps}", "trainer.max_epochs=1")
    average = SEEN[0]
    for number, weights in enumerate(SEEN[1:], start=1):
        share = 0.1 if "EMA" in averaging else 1 / (number + 1)
        average = {name: (1 - share) * average[name] + share * value for name, value in weights.items()}
    found = exported(run)
    assert_equal(found, average)
    assert any(not torch.allclose(value, SEEN[-1][name], atol=1e-4) for name, value in found.items())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:SWA is currently only supported every epoch")
def test_stochastic_weight_averaging_is_validated_and_kept(trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("+callbacks.swa={_target_:mylab_averages.Recorded,swa_lrs:0.01,swa_epoch_start:1}")
    assert_equal(exported(run), SEEN[-1])
    best = record(run)["best"]
    assert best["step"] == record(run)["steps"]
    table = pq.read_table(run / "predictions.parquet").to_pydict()
    margins, labels, splits = (np.array(table[name]) for name in ("margin", "label", "split"))
    accuracy = ((margins >= 0) == labels)[splits == "validation"].mean()
    assert best["value"] == pytest.approx(accuracy), "the value is that of the averaged weights"
    assert "averaged weights are kept: val/accuracy" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:SWA is currently only supported every epoch")
def test_a_training_that_ends_before_the_average_says_so(trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("+callbacks.swa={_target_:mylab_averages.Recorded,swa_lrs:0.01,swa_epoch_start:3}", "trainer.max_steps=20")
    assert "StochasticWeightAveraging averages after epoch 3, and training ended in epoch 2" in capsys.readouterr().out
    assert record(run)["status"] == "finished"
