"""The disk that a training writes to: is there room for its checkpoints, and what to say when there is no more."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from paraphrase_lab.errors import KnownError, TrainingError, UserError
from paraphrase_lab.lifecycle.run import LAST_CHECKPOINT, Run
from paraphrase_lab.storage import free_bytes, size, storage_fault

log = logging.getLogger(__name__)
STATES_OF_ADAM = 2
"""Numbers that the optimiser keeps for each parameter that it trains."""


def require_space(run: Run, encoder: nn.Module, *, is_continued: bool) -> None:
    """Compare the free space with what the checkpoints take: the best of the trained weights, and last.ckpt with all of them
    and the optimiser's state.

    Raises:
        UserError: not even the first checkpoint fits.
    """
    weights = sum(one.numel() * one.element_size() for one in encoder.parameters())
    trained = sum(one.numel() * one.element_size() for one in encoder.parameters() if one.requires_grad)
    states = STATES_OF_ADAM if "adam" in str(run.config.optimizer.get("_target_")).lower() else 0
    last = weights + states * trained
    least = last if is_continued else trained + last
    free = free_bytes(run.directory)
    if free < least:
        raise UserError(
            f"{run.directory} has {size(free)} of free space, and the first checkpoint of this run takes {size(least)}",
            hint="free some space, or hydra.run.dir=DIRECTORY on another disk",
        )
    if free < (most := 2 * (trained + last)):  # while a checkpoint takes the place of another, both are there
        log.warning("%s has %s of free space; this run may need %s", run.directory, size(free), size(most))


@contextmanager
def storage_faults(directory: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence that says what is kept and how to continue.

    Raises:
        TrainingError: the disk is full, say.
    """
    try:
        yield
    except KnownError:
        raise
    except Exception as error:  # safetensors and pyarrow have classes of their own
        if (fault := storage_fault(error, directory)) is None:
            raise
        logging.raiseExceptions = False  # the log may lie on the same disk
        kept = sorted((directory / LAST_CHECKPOINT.parent).glob("best-*.safetensors"))
        told = [f"the best weights so far are {kept[-1]}"] if kept else []
        if (directory / LAST_CHECKPOINT).is_file():
            told.append(f"the same command with resume={directory} continues after the last checkpoint")
        raise TrainingError("; ".join([fault, *told])) from error
