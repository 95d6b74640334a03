"""The message of a training that broke down: where, on which pairs, and what usually helps."""

import torch

from paraphrase_lab.errors import TrainingError
from paraphrase_lab.files import write_json
from paraphrase_lab.lifecycle.run import Run
from paraphrase_lab.model.memory import first_sentences, smaller_training_batches
from paraphrase_lab.model.module import NonFiniteLoss


def non_finite_loss(error: NonFiniteLoss, run: Run) -> TrainingError:
    """Write non_finite_loss.json with the pairs seen since the last finite loss."""
    table = run.tables.splits["train"]
    path = run.directory / "non_finite_loss.json"
    pairs = [{"id": table.ids[i], "sentence1": table.sentence1[i], "sentence2": table.sentence2[i]} for i in error.indices]
    write_json(path, {"step": error.step, "pairs": pairs})
    return TrainingError(
        f"{error}; the {len(pairs)} pairs trained on since the last finite loss are listed in {path}. "
        "A lower optimizer.lr usually helps"
    )


def out_of_memory(error: torch.OutOfMemoryError, run: Run, step: int, *, knows_checkpointing: bool = True) -> TrainingError:
    """`knows_checkpointing`: the architecture can compute its activations twice in place of keeping them."""
    config = run.config
    smaller = smaller_training_batches(
        batch_size=config.data.batch_size, batch_tokens=config.data.batch_tokens,
        accumulate_grad_batches=config.trainer.accumulate_grad_batches,
        can_checkpoint=not config.model.gradient_checkpointing and knows_checkpointing,
    )  # fmt: skip
    message = first_sentences(error)
    return TrainingError(f"{run.machine.name} ran out of memory after optimiser step {step:,} ({message}): {smaller}")
