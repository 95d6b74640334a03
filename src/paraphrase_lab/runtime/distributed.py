"""The processes of a distributed run: which one writes, where they find the run, and how all of them end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from pytorch_lightning.utilities import rank_zero_only

from paraphrase_lab.paths import DIRECTORY_VARIABLE

LEFT_BY_LIGHTNING = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_main_process() -> bool:
    """Tell whether this process of a distributed run writes; also under torchrun and srun."""
    return getattr(rank_zero_only, "rank", 0) in (0, None)


@contextmanager
def processes_find(directory: Path) -> Iterator[None]:
    """Tell the processes that Lightning starts which directory is theirs: Hydra knows only that of a single run.

    Afterwards the next job of a sweep can start its own: Lightning leaves its process group and its variables behind.
    """
    before = {name: os.environ.get(name) for name in (DIRECTORY_VARIABLE, *LEFT_BY_LIGHTNING)}
    os.environ[DIRECTORY_VARIABLE] = str(directory.absolute())
    try:
        yield
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
