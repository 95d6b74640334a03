"""A trial of a search tells its values on the way."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from hydra_sagemaker import report


class SearchReport(Callback):
    """Reports `monitor` after each validation, numbered from 0: a trial ends early that is worse than others were there."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self._validations = 0

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._validations = state_dict["validations"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        number, self._validations = self._validations, self._validations + 1
        if trainer.is_global_zero:
            report(number, float(trainer.callback_metrics[self.monitor]))
