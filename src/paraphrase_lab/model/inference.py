"""Margins of many pairs with a trained encoder: one loop for the end of training, for evaluate and for predict."""

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from paraphrase_lab.model.encoder import ENCODER_INPUTS
from paraphrase_lab.model.memory import split_on_oom


def best_device(accelerator: str = "auto") -> torch.device:
    """Return the device for scoring, of each process of a distributed training another; `accelerator`: auto, cpu, gpu, mps."""
    if accelerator == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device(
            "cuda", int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0"))) % torch.cuda.device_count()
        )
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def score(
    encoder: nn.Module,
    batches: Iterable[Mapping[str, Tensor]],
    pairs: int,
    *,
    precision: str = "32-true",
    advance: Callable[[int], None] = lambda pairs: None,
) -> np.ndarray:
    """Return logit(paraphrase) - logit(different) of every pair, float64 [pairs], in the order of the batches' `index`.

    float32 unless asked otherwise: what a reader of the saved weights computes too.

    Raises:
        TrainingError: not even one pair fits into the device's memory.
    """
    device = next(encoder.parameters()).device
    margins = np.full(pairs, np.nan)
    was_training = encoder.training

    def logits_of(inputs: Mapping[str, Tensor]) -> Tensor:
        return encoder(**{name: tensor.to(device, non_blocking=True) for name, tensor in inputs.items()}).logits.float()

    encoder.eval()
    with torch.inference_mode(), autocast(precision, device):
        for batch in batches:
            logits = split_on_oom(logits_of, {name: batch[name] for name in ENCODER_INPUTS if name in batch})
            margins[batch["index"].numpy()] = (logits[:, 1] - logits[:, 0]).cpu().numpy()
            advance(len(batch["index"]))
    encoder.train(was_training)
    return margins


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager:
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
    return torch.autocast(device.type, dtype=dtype) if dtype else contextlib.nullcontext()
