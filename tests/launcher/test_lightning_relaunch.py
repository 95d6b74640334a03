"""Lightning starts its other processes by running the same command again, with words of Hydra's added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from submitted_jobs import SubmittedJob

if TYPE_CHECKING:
    from hydra_apps import App
    from sagemaker_fixtures import Account

pytest.importorskip("moto", reason='needs pip install "paraphrase-lab[local-aws]"')
pytest_plugins = ["sagemaker_fixtures"]
pytestmark = pytest.mark.slow

TWO_DEVICES = """\
import logging
import os
from pathlib import Path

import hydra
import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from torch.utils.data import DataLoader, TensorDataset

BROKEN_CHILD = 1


class Line(pl.LightningModule):
    def __init__(self, x):
        super().__init__()
        self.layer, self.x = torch.nn.Linear(1, 1), x

    def training_step(self, batch, index):
        if self.x == BROKEN_CHILD and self.global_rank == 1:
            raise ValueError("the other process is broken")
        self.log("seen", float(self.global_rank + 1), sync_dist=True, reduce_fx="sum", on_epoch=True, on_step=False)
        return self.layer(batch[0]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(Line(config.x), DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=2))
    logging.getLogger(__name__).info("this is rank %d", trainer.global_rank)
    if trainer.is_global_zero:
        output = Path(HydraConfig.get().runtime.output_dir)
        (output / "world").write_text(f"{trainer.world_size} {float(trainer.callback_metrics['seen'])}")
    return 10 + config.x + trainer.global_rank


if __name__ == "__main__":
    main()
"""


def test_on_this_machine(app: App) -> None:
    app.write("app.py", TWO_DEVICES)
    app.sweep("x=2")
    assert (app.result(0)["status"], app.result(0)["return_value"]) == ("completed", 12)
    output = app.sweep_dir / "0"
    assert (output / "world").read_text() == "2 3.0"
    written = {"world", "app.log", *(f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides"))}
    assert {name for name in app.files(0) if not name.startswith(".job/")} == written
    log = (output / "app.log").read_text()
    assert "this is rank 0" in log and "this is rank 1" not in log
    assert "this is rank 1" in (output / ".job/output.log").read_text()


def test_the_error_of_the_other_process_is_the_jobs_on_this_machine(app: App) -> None:
    app.write("app.py", TWO_DEVICES)
    output = app.sweep("x=1", code=1)
    assert "ValueError: the other process is broken" in output
    assert json.loads((app.sweep_dir / "0/.job/ranks/1.json").read_text())["rank"] == 1


def test_on_sagemaker(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, TWO_DEVICES).submit({"processes_per_instance": 1})
    assert job.finished()["TrainingJobStatus"] == "Completed", job.log()
    files = job.archive()
    assert files["7/world"] == b"2 3.0" and job.result()["return_value"] == 10
    assert b"this is rank 1" not in files["7/app.log"] and b"this is rank 1" in files[".job/output.log"]


def test_the_error_of_the_other_process_is_the_jobs_on_sagemaker(account: Account, tmp_path: Path) -> None:
    job = SubmittedJob(account, tmp_path, TWO_DEVICES, x=1).submit({"processes_per_instance": 1})
    reason = job.finished()["FailureReason"]
    assert reason.startswith("AlgorithmError: ValueError: the other process is broken\nrank 1\n"), reason
