"""The watchers of a training: early stopping, progress, the warning that nothing is learnt. Checkpoints: checkpoints.py."""

import logging
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks import EarlyStopping as LightningEarlyStopping

from paraphrase_lab.metrics.binary import ValidationAnswers
from paraphrase_lab.metrics.names import higher_is_better
from paraphrase_lab.runtime.progress import NoProgress, Progress, shown_progress
from paraphrase_lab.training.checkpoints import BestCheckpoint

log = logging.getLogger(__name__)
WHAT_HELPS = (
    "patience first: a pre-trained encoder of base size may stay there for 500 steps; then a longer warm-up "
    "(scheduler.warmup_fraction) or smaller batches (data.batch_size); a lower optimizer.lr alone rarely helps"
)


class EarlyStopping(LightningEarlyStopping):
    """Stops after `patience` validations without improvement, also when the run was killed right after the last of them."""

    def __init__(self, monitor: str, patience: int = 5, min_delta: float = 0.0, mode: str = "auto") -> None:
        super().__init__(
            monitor,
            min_delta=min_delta,
            patience=patience,
            mode="max" if higher_is_better(monitor, mode) else "min",
            check_on_train_epoch_end=False,  # the resume checkpoint is written at the end of validation and must hold the count
        )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class TrainingLog(Callback):
    """Sends the mean loss, the rate and the speed to the loggers, at a fixed interval of optimiser steps.

    It stands before the resume checkpoint, which then holds sums that start anew after what was logged.
    """

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self.last: dict[str, float] = {}
        self._logged_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._logged_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._logged_step or step % self.every_steps:
            return
        self._logged_step = step
        self.last = pl_module.flush_train_metrics(step)  # type: ignore[operator]
        for logger in trainer.loggers:
            logger.log_metrics({**self.last, "epoch": training_epochs(trainer)}, step=step)


class CollapseWarning(Callback):
    """Says once that validation is no better than the majority class, once that it has become so, and once if it never did.

    Args:
        same_answer_share: share of the validation pairs with the same answer from which the message names it.
    """

    def __init__(self, same_answer_share: float = 0.99) -> None:
        self.same_answer_share = same_answer_share
        self.since: int | None = None
        """Optimiser step of the first of the validations that were no better."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        accuracy = trainer.callback_metrics.get("val/accuracy")
        answers: ValidationAnswers | None = getattr(pl_module, "validation_answers", None)
        if trainer.sanity_checking or accuracy is None or answers is None:
            return
        step, stays = trainer.global_step, float(accuracy) <= answers.accuracy_by_chance
        if stays == (self.since is not None):
            return
        self.since = step if stays else None
        if not trainer.is_global_zero:
            return
        if stays:
            log.warning(
                "not learning yet: validation accuracy %.4f is no better than the majority class's (%.4f) after %s steps%s; %s",
                float(accuracy), answers.majority, f"{step:,}", self._same_answer(answers.predicted_positive_rate), WHAT_HELPS,
            )  # fmt: skip
        else:
            log.info(
                "learning: validation accuracy %.4f is above the majority class's (%.4f) after %s steps",
                float(accuracy), answers.majority, f"{step:,}",
            )  # fmt: skip

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.since is not None and trainer.is_global_zero:
            log.warning(
                "training ends after %s steps with a validation accuracy no better than the majority class's since step %s",
                f"{trainer.global_step:,}", f"{self.since:,}",
            )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {"since": self.since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.since = state_dict.get("since")

    def _same_answer(self, yes: float) -> str:
        share = max(yes, 1 - yes)
        if share < self.same_answer_share:
            return ""
        return f", and {share:.1%} of the pairs are answered {'paraphrase' if yes > 0.5 else 'different'!r}"


class ProgressLines(Callback):
    """One line per validation, for logs and for eyes; Lightning calls it before `best` takes the validation in."""

    def __init__(self, best: BestCheckpoint) -> None:
        self.best = best

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        training_log = next((callback.last for callback in trainer.callbacks if isinstance(callback, TrainingLog)), {})  # type: ignore[attr-defined]
        values = {**training_log, **{name: float(value) for name, value in trainer.callback_metrics.items()}}
        improved = self.best.is_improved_by(values[self.best.monitor])
        shown = [name for name in ("train/loss", "val/nll", "val/accuracy", "val/f1") if name != self.best.monitor]
        parts = [f"{name} {values[name]:.4f}" for name in (*shown, self.best.monitor) if name in values]
        log.info(
            "epoch %.2f  step %s  %s%s",
            training_epochs(trainer), f"{trainer.global_step:,}", "  ".join(parts), "  (best so far)" if improved else "",
        )  # fmt: skip


def training_epochs(trainer: pl.Trainer) -> float:
    """Return the epochs trained so far, with a fraction."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready / max(1, int(trainer.num_training_batches))


class TrainingProgress(Callback):
    """Shows how far the whole training is, with the latest loss and value of `monitor`. Early stopping may end it before."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self._shown: Progress = NoProgress()
        self._closing = ExitStack()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            steps = float(trainer.estimated_stepping_batches)
            self._shown = self._closing.enter_context(shown_progress("training", steps, trainer.global_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._shown.update(trainer.global_step, self._words(trainer))

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        batches = sum(trainer.num_val_batches)
        self._shown.update(trainer.global_step, f"validating {batch_idx + 1:,}/{batches:,}  {self._words(trainer)}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._closing.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._closing.close()

    def _words(self, trainer: pl.Trainer) -> str:
        training_log = next((callback.last for callback in trainer.callbacks if isinstance(callback, TrainingLog)), {})  # type: ignore[attr-defined]
        known = {"loss": training_log.get("train/loss"), self.monitor: trainer.callback_metrics.get(self.monitor)}
        return "  ".join(f"{name} {float(value):.4f}" for name, value in known.items() if value is not None)
