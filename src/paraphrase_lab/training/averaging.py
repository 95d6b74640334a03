"""Lightning's averages of weights: the ones that validation measures are the ones that are kept."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import StochasticWeightAveraging, WeightAveraging

log = logging.getLogger(__name__)


@contextmanager
def validated_weights(trainer: pl.Trainer, pl_module: pl.LightningModule) -> Iterator[None]:
    """Put the weights that were validated last into the module, for the length of the block.

    WeightAveraging and EMAWeightAveraging exchange them for the averaged ones at the start of a validation and back at its end,
    before anybody can keep them: the same hooks exchange them here.
    """
    callbacks: Any = trainer.callbacks  # type: ignore[attr-defined]
    averaging = [callback for callback in callbacks if isinstance(callback, WeightAveraging)]
    in_training = averaging if trainer.state.fn == "fit" else []  # afterwards the module holds the average
    for callback in in_training:
        callback.on_validation_epoch_start(trainer, pl_module)
    try:
        yield
    finally:
        for callback in reversed(in_training):
            callback.on_validation_epoch_end(trainer, pl_module)


def averaged_at_the_end(trainer: pl.Trainer) -> bool:
    """Tell whether StochasticWeightAveraging has put its average into the module when training ended.

    It does so after the last epoch, without a validation; a training that ended earlier is warned of.
    """
    callbacks: Any = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, StochasticWeightAveraging):
            if trainer.current_epoch > callback.swa_end:
                return True
            log.warning(
                "StochasticWeightAveraging averages after epoch %s, and training ended in epoch %s: the best weights are kept",
                f"{callback.swa_end + 1:,}", f"{trainer.current_epoch:,}",
            )  # fmt: skip
    return False
