"""A callback that sends its own process a signal at a chosen moment: KILL="WHERE N SIGNAL"."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class Kill(Callback):
    """WHERE: batch (the end of the Nth), batch_start, validation (within the Nth), validation_end, epoch_end, train_end."""

    def __init__(self) -> None:
        where, number, name = os.environ.get("KILL", "never 0 SIGKILL").split()
        self.where, self.number, self.signal = where, int(number), signal.Signals[name]
        self.validations = 0

    def reached(self, where: str, number: int) -> None:
        if (where, number) == (self.where, self.number):
            os.kill(os.getpid(), self.signal)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.reached("batch_start", trainer.fit_loop.epoch_loop.total_batch_idx)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.reached("batch", trainer.fit_loop.epoch_loop.total_batch_idx + 1)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.validations += not trainer.sanity_checking

    def on_validation_batch_end(self, trainer: pl.Trainer, *rest: Any, **named: Any) -> None:
        if not trainer.sanity_checking:
            self.reached("validation", self.validations)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            self.reached("validation_end", self.validations)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.reached("epoch_end", trainer.current_epoch + 1)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.reached("train_end", 0)
