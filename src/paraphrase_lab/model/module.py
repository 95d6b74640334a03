"""The LightningModule: loss, what is logged when, and the metrics of a whole validation split."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from scipy.special import expit
from torch import Tensor, nn
from transformers import PreTrainedModel

from paraphrase_lab.metrics.binary import OwnMetric, ValidationAnswers, binary_metrics
from paraphrase_lab.metrics.names import BY_GROUP
from paraphrase_lab.model.encoder import ENCODER_INPUTS
from paraphrase_lab.model.losses import Distillation, symmetric_divergence
from paraphrase_lab.model.memory import split_on_oom
from paraphrase_lab.training.optimisation import OptimizerFactory, build_optimizer


class NonFiniteLoss(Exception):
    """Raised where the loss is infinite or not a number; `indices` are the training pairs since it was last checked."""

    def __init__(self, step: int, indices: list[int]) -> None:
        self.step, self.indices = step, indices
        super().__init__(f"the training loss became infinite or not a number by optimiser step {step}")


class PairClassifier(pl.LightningModule):
    """
    Args:
        encoder: a Hugging Face classifier with two labels.
        loss: logits [pairs, 2], labels [pairs] -> mean over the pairs.
        optimizer, scheduler: factories, of (parameter groups) and (optimizer, total_steps=…).
        mean_pairs: pairs of an average batch. Batches hold about the same number of tokens, not of pairs; weighting each by
            its pairs lets every pair count the same.
        distillation: beside the labels, training copies the answers "teacher" of the batches.
        own_metrics: name -> function of (labels, probabilities, threshold), logged as val/<name>.
        validation_groups: the source of each validation pair [pairs], in the order of the split: each has metrics of its own.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        loss: nn.Module | Callable[[Tensor, Tensor], Tensor],
        optimizer: OptimizerFactory,
        scheduler: Callable[..., Any],
        *,
        mean_pairs: float,
        layer_decay: float = 1.0,
        consistency_weight: float = 0.0,
        distillation: Distillation | None = None,
        fused_optimizer: bool = True,
        own_metrics: Mapping[str, OwnMetric] | None = None,
        validation_groups: Sequence[str | None] | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.loss = encoder.train(), loss
        self.optimizer_factory, self.scheduler_factory = optimizer, scheduler
        self.mean_pairs, self.layer_decay, self.fused_optimizer = mean_pairs, layer_decay, fused_optimizer
        self.consistency_weight, self.distillation = consistency_weight, distillation
        self.own_metrics = dict(own_metrics or {})
        self.validation_groups = None if validation_groups is None else np.array(validation_groups)
        self.validation_outputs: list[tuple[Tensor, Tensor, Tensor]] = []
        self._reset_train_metrics()

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return float32 [rows, 2]."""
        return self.encoder(**{name: batch[name] for name in ENCODER_INPUTS if name in batch}).logits.float()

    def batch_loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        logits, labels = self.logits(batch), batch["labels"]
        if len(logits) == len(labels):
            return self._copied(self.loss(logits, labels), logits, batch)
        first, second = logits.chunk(2)  # both orders of every pair
        answered = (self.loss(first, labels) + self.loss(second, labels)) / 2
        copied = self._copied(answered, logits, batch)
        return copied + self.consistency_weight * symmetric_divergence(first, second)

    def _copied(self, of_labels: Tensor, logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return self.distillation(of_labels, logits, batch["teacher"]) if self.distillation is not None else of_labels

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss, pairs = self.batch_loss(batch), len(batch["labels"])
        self._train_loss += loss.detach().float() * pairs
        self._train_pairs += pairs
        self._train_indices.append(batch["index"])
        return loss * (pairs / self.mean_pairs)

    def flush_train_metrics(self, step: int) -> dict[str, float]:
        """Return what is logged of the batches since the last call: the only place where training waits for the device.

        Raises:
            NonFiniteLoss: their loss is not a finite number.
        """
        loss, pairs = self._finite_train_loss(step)
        seconds = time.monotonic() - self._train_start
        values = {
            "train/loss": loss,
            "train/lr": max(group["lr"] for group in self.trainer.optimizers[0].param_groups),
            "train/pairs_per_second": pairs / seconds,
        }
        self._reset_train_metrics()
        return values

    def _finite_train_loss(self, step: int) -> tuple[float, float]:
        """Return mean loss and number of the pairs since the last call, over all devices: all see a loss that is not finite."""
        pairs = torch.tensor(float(self._train_pairs), device=self.device)
        total = torch.stack([self._train_loss.to(self.device), pairs])  # NCCL sums on GPUs only
        loss, count = self.trainer.strategy.reduce(total, reduce_op="sum").tolist()
        if not np.isfinite(loss):
            raise NonFiniteLoss(step, torch.cat(self._train_indices).tolist() if self._train_indices else [])
        return loss / max(1.0, count), count

    def _reset_train_metrics(self) -> None:
        self._train_loss = torch.zeros((), dtype=torch.float32, device=self.device)
        self._train_pairs = 0
        self._train_indices: list[Tensor] = []
        self._train_start = time.monotonic()

    def on_train_start(self) -> None:
        self._train_loss = self._train_loss.to(self.device)
        self._train_start = time.monotonic()

    def on_validation_epoch_start(self) -> None:
        self._finite_train_loss(self.trainer.global_step)  # validating would only hide it
        self.validation_outputs = []
        self._validation_start = time.monotonic()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = split_on_oom(self.logits, batch)
        self.validation_outputs.append((batch["index"], logits[:, 1] - logits[:, 0], batch["labels"]))

    def on_validation_epoch_end(self) -> None:
        self._train_start += time.monotonic() - self._validation_start
        if self.trainer.sanity_checking:
            return
        labels, margins = self._gathered_outputs()
        probabilities = expit(margins)
        values = binary_metrics(labels, probabilities)
        values |= {name: float(metric(labels, probabilities, 0.5)) for name, metric in self.own_metrics.items()}
        self.validation_answers = ValidationAnswers.of(labels, probabilities)
        logged = {f"val/{name}": value for name, value in values.items()} | self._of_groups(labels, probabilities)
        self.log_dict({**logged, "step": float(self.trainer.global_step)}, sync_dist=True, batch_size=1)

    def _of_groups(self, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
        if self.validation_groups is None:
            return {}
        found = {}
        for group in dict.fromkeys(self.validation_groups.tolist()):
            rows = self.validation_groups == group
            values = binary_metrics(labels[rows], probabilities[rows])
            found |= {f"val_{group}/{name}": values[name] for name in BY_GROUP}
        return found

    def _gathered_outputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return labels and margins of the whole split [pairs], in its order and the same on every device."""
        columns = [torch.cat(column).cpu().numpy() for column in zip(*self.validation_outputs, strict=True)]
        if self.trainer.world_size > 1:
            parts: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(parts, columns)
            columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        index, margins, labels = columns
        order = np.argsort(index)
        return labels[order], margins[order].astype(np.float64)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["train_metrics"] = {"loss": float(self._train_loss), "pairs": self._train_pairs}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        sums = checkpoint.get("train_metrics") or checkpoint["window"]  # its name in older checkpoints
        self._train_loss = torch.tensor(sums["loss"], dtype=torch.float32, device=self.device)
        self._train_pairs = sums["pairs"]

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Lightning refuses to clip with a fused optimizer even where no gradient scaler is at work, as with bf16."""
        if gradient_clip_val is not None and self.fused_optimizer:
            nn.utils.clip_grad_norm_(self.encoder.parameters(), gradient_clip_val)
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.optimizer_factory, self.encoder, self.layer_decay, fused=self.fused_optimizer)
        total_steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self.scheduler_factory(optimizer, total_steps=total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
