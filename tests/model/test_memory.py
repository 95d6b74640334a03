"""Batches that are too big for the device's memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from paraphrase_lab.errors import TrainingError
from paraphrase_lab.model.memory import smaller_training_batches, split_on_oom

FULL = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.00 GiB is free."


class Device:
    """Has memory for a number of pairs."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self.tried: list[int] = []

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        ids = batch["input_ids"]
        self.tried.append(len(ids))
        if len(ids) > self.pairs:
            raise torch.OutOfMemoryError(FULL)
        return torch.stack([ids.sum(1), batch["index"]], dim=1)


def batch_of(pairs: int) -> dict[str, Tensor]:
    return {"input_ids": torch.arange(pairs * 3).reshape(pairs, 3), "index": torch.arange(pairs)}


@pytest.mark.parametrize(
    ("memory", "tried"), [(7, [7]), (4, [7, 3, 4]), (2, [7, 3, 1, 2, 4, 2, 2]), (1, [7, 3, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1])]
)
def test_halves_are_scored_and_keep_their_order(memory: int, tried: list[int]) -> None:
    device = Device(memory)
    assert torch.equal(split_on_oom(device, batch_of(7)), Device(7)(batch_of(7)))
    assert device.tried == tried


def test_a_pair_that_does_not_fit() -> None:
    message = (
        r"a single pair of 3 tokens does not fit in the device.s memory "
        r"\(CUDA out of memory. Tried to allocate 20.00 GiB\): lower data.max_"
    )
    with pytest.raises(TrainingError, match=message):
        split_on_oom(Device(0), batch_of(7))


SAME_STEP = "halves what a batch needs, with as many pairs a step"
CHECKPOINTING = "model.gradient_checkpointing=true trades time for memory"


@pytest.mark.parametrize(
    ("size", "tokens", "accumulated", "checkpointing", "ways"),
    [
        (32, None, 1, False, f"data.batch_size=16 trainer.accumulate_grad_batches=2 {SAME_STEP}; {CHECKPOINTING}"),
        (None, 4096, 4, True, f"data.batch_tokens=2048 trainer.accumulate_grad_batches=8 {SAME_STEP}"),
        (1, None, 1, False, CHECKPOINTING),
        (None, 31, 1, True, "batches cannot be smaller: a smaller model, or a device with more memory"),
    ],
)
def test_what_needs_less(size: int | None, tokens: int | None, accumulated: int, checkpointing: bool, ways: str) -> None:
    said = smaller_training_batches(
        batch_size=size, batch_tokens=tokens, accumulate_grad_batches=accumulated, can_checkpoint=not checkpointing
    )
    assert said == ways
