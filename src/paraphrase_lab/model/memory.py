"""Remedies for a batch that is too big for the device's memory."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from paraphrase_lab.errors import TrainingError


def split_on_oom(logits: Callable[[Mapping[str, Tensor]], Tensor], batch: Mapping[str, Tensor]) -> Tensor:
    """Return `logits` of a batch without gradients, [pairs, 2]; of its halves where the whole is too big.

    Raises:
        TrainingError: not even one pair fits.
    """
    pairs, tokens = batch["input_ids"].shape
    try:
        return logits(batch)
    except torch.OutOfMemoryError as error:
        if pairs == 1:
            raise TrainingError(
                f"a single pair of {tokens:,} tokens does not fit in the device's memory ({first_sentences(error)}): lower "
                "data.max_length, choose a smaller model, or free the device"
            ) from error
    # Only now: the error's traceback kept alive what the failed attempt had allocated.
    halves = ({name: tensor[part] for name, tensor in batch.items()} for part in (slice(pairs // 2), slice(pairs // 2, None)))
    return torch.cat([split_on_oom(logits, half) for half in halves])


def smaller_training_batches(
    *, batch_size: int | None, batch_tokens: int | None, accumulate_grad_batches: int, can_checkpoint: bool
) -> str:
    """Name overrides that need less memory. The effective batch, and so the learning rate that suits it, can stay as it is."""
    name, size, least = ("data.batch_tokens", batch_tokens, 16) if batch_tokens else ("data.batch_size", batch_size or 1, 1)
    ways = []
    if size >= 2 * least:
        half = f"{name}={size // 2} trainer.accumulate_grad_batches={2 * accumulate_grad_batches}"
        ways.append(f"{half} halves what a batch needs, with as many pairs a step")
    if can_checkpoint:
        ways.append("model.gradient_checkpointing=true trades time for memory")
    return "; ".join(ways or ["batches cannot be smaller: a smaller model, or a device with more memory"])


def first_sentences(error: torch.OutOfMemoryError) -> str:
    """Return how much was asked for; what follows counts bytes."""
    return str(error).partition(" GPU ")[0].strip().rstrip(".")
