"""The two checkpoints of a run: the best weights, and everything that lets a killed run go on bit for bit."""

import logging
import math
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint
from safetensors import safe_open
from safetensors.torch import load_model, save_file, save_model
from torch import nn

from paraphrase_lab.files import atomic_write
from paraphrase_lab.training.averaging import validated_weights
from paraphrase_lab.training.stopping import StopRequest

log = logging.getLogger(__name__)


class BestCheckpoint(Checkpoint):
    """Keeps the weights of the validation with the best `monitor`; the earlier one when two are equal."""

    def __init__(self, directory: Path, monitor: str, mode: str) -> None:
        self.directory = directory
        self.monitor, self.mode = monitor, mode
        self.value: float | None = None
        self.step = 0
        self.validated_step = -1
        self._replaced: Path | None = None
        self.takes_next = False
        """Whether the weights of the next validation are kept, whatever their value."""

    @property
    def path(self) -> Path:
        return self.directory / f"best-{self.step}.safetensors"

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "step": self.step, "validated_step": self.validated_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value, self.step = state_dict["value"], state_dict["step"]
        self.validated_step = state_dict["validated_step"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        self.validated_step = trainer.global_step
        value = float(trainer.callback_metrics[self.monitor])
        if self.takes_next or self.is_improved_by(value):
            self.takes_next = False
            self._replaced = self.path if self.value is not None else None
            self.value, self.step = value, trainer.global_step
            if trainer.is_global_zero:
                self.directory.mkdir(parents=True, exist_ok=True)
                with atomic_write(self.path) as unfinished, validated_weights(trainer, pl_module):
                    save_weights(pl_module.encoder, unfinished)  # type: ignore[arg-type]

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        """Remove the old weights. By now last.ckpt names the new ones; a run killed before that resumes from the old ones."""
        if self._replaced is not None and trainer.is_global_zero and self._replaced != self.path:
            self._replaced.unlink(missing_ok=True)
        self._replaced = None

    def is_improved_by(self, value: float) -> bool:
        if self.value is None or math.isnan(self.value):
            return True
        return value > self.value if self.mode == "max" else value < self.value


def save_weights(encoder: nn.Module, path: Path) -> None:
    """Write the weights that training changes: all of them, or what is left where some are frozen, as beside adapters."""
    if not has_frozen(encoder):
        save_model(encoder, str(path))
        return
    parameters = {name for name, _ in encoder.named_parameters(remove_duplicate=False)}
    trained = {name for name, one in encoder.named_parameters() if one.requires_grad}
    state = encoder.state_dict()
    save_file({name: state[name].contiguous() for name in state if name in trained or name not in parameters}, path)


def load_weights(encoder: nn.Module, path: Path) -> None:
    """Read what `save_weights` wrote; frozen weights stay as they are."""
    load_model(encoder, path, strict=not has_frozen(encoder))


def has_frozen(encoder: nn.Module) -> bool:
    return not all(parameter.requires_grad for parameter in encoder.parameters())


class ResumeCheckpoint(Checkpoint):
    """Writes last.ckpt where training can go on exactly: after an optimiser step, or after the validation that follows it.

    Between an optimiser step and the validation due after it nothing is written: Lightning would skip that validation on
    resume, and with it a candidate for the best checkpoint. A stop that was asked for is honoured once a checkpoint stands.
    """

    def __init__(self, directory: Path, every_steps: int, stop: StopRequest) -> None:
        self.path = directory / "last.ckpt"
        self.every_steps, self.stop = every_steps, stop
        self.seconds_before = 0.0
        """Seconds of training of this run's earlier processes, up to the checkpoint where it continues."""
        self._started = time.monotonic()
        self._seen_step = -1
        self._stop_agreed = False

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": round(self.seconds_before + time.monotonic() - self._started, 3)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds_before = float(state_dict["seconds"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.monotonic()
        self._seen_step = trainer.global_step
        self.stop.install()
        self.stop.deferred = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.deferred = False

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        if self._stop_agreed:
            self.stop.raise_if_requested()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._seen_step:
            return
        self._seen_step = step
        wanted = trainer.strategy.reduce_boolean_decision(self.stop.number is not None, all=False)
        # Lightning validates right after this batch (check_val_every_n_epoch is 1).
        validation_follows = trainer.enable_validation and (batch_idx + 1) % int(trainer.val_check_batch or 1) == 0
        if (wanted or step % self.every_steps == 0) and not validation_follows:
            self._save(trainer, wanted)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._save(trainer, trainer.strategy.reduce_boolean_decision(self.stop.number is not None, all=False))

    def _save(self, trainer: pl.Trainer, stop_wanted: bool) -> None:
        unfinished = self.path.with_name("last.unfinished.ckpt")
        try:
            trainer.save_checkpoint(unfinished)
        except OSError:
            unfinished.unlink(missing_ok=True)  # makes room for the record on a full disk
            raise
        if trainer.is_global_zero:
            os.replace(unfinished, self.path)
        trainer.strategy.barrier()
        if stop_wanted:
            self._stop_agreed = True
            self.stop.number = self.stop.number or 15


def resumable_step(path: Path) -> int | None:
    """Return the optimiser step after which training can go on; None where there is nothing, or nothing whole, to go on from.

    A directory that was copied while it was written may lack the best weights that the checkpoint names.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
        step, best = int(state["global_step"]), state["callbacks"].get(BestCheckpoint.__qualname__, {})
        if best.get("value") is not None:
            with safe_open(path.with_name(f"best-{best['step']}.safetensors"), framework="pt"):
                pass
    except Exception as error:  # torch, pickle, zip, safetensors and the file system each have their own
        log.warning("%s cannot be resumed from, and training starts again: %s: %s", path, type(error).__name__, error)
        return None
    return step


class RandomState(Callback):
    """Every device's random state, restored when the first batch after a resume starts: loaders draw before that."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._restored: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        numpy_name, numpy_keys, *numpy_rest = np.random.get_state()
        state = {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "python": random.getstate(),
            "numpy": [numpy_name, numpy_keys.tolist(), *numpy_rest],  # type: ignore[union-attr]  # arrays need unpickling
        }
        states: list[Any] = [state]
        if torch.distributed.is_initialized():
            states *= torch.distributed.get_world_size()
            torch.distributed.all_gather_object(states, state)
        return {"ranks": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        self._restored = state_dict["ranks"][rank] if rank < len(state_dict["ranks"]) else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_rank > 0 and self._restored is None:
            torch.manual_seed(self.seed + trainer.global_rank)  # the devices must not drop out the same units

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        if self._restored is not None:
            state, self._restored = self._restored, None
            torch.set_rng_state(state["torch"])
            if state["cuda"]:
                torch.cuda.set_rng_state_all(state["cuda"])
            version, internal, gauss = state["python"]
            random.setstate((version, tuple(internal), gauss))
            name, keys, *rest = state["numpy"]
            np.random.set_state((name, np.asarray(keys, dtype=np.uint32), *rest))
