"""Scores of a file that is not finished yet, kept so that a killed process costs one chunk and not the night."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from paraphrase_lab.errors import UserError

STATE_FILE = "state.json"
OVERWRITE_HINT = "add --overwrite to start anew"


class PartialScores:
    """One `.npy` file of probabilities per finished chunk, and a state file that says what they are the scores of."""

    def __init__(self, folder: Path, agreement: dict[str, Any], *, overwrite: bool) -> None:
        """Raises UserError where the folder holds scores of something that `agreement` does not describe."""
        self.folder = folder
        if overwrite:
            self.remove()
        if self.finished_chunks():
            check_agreement(folder, agreement)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(agreement, indent=2) + "\n"
            write_atomically(folder / STATE_FILE, lambda handle: handle.write(text.encode()))

    def finished_chunks(self) -> int:
        """Chunks are saved in order, so the first part that is missing ends them."""
        chunk = 0
        while self._part(chunk).exists():
            chunk += 1
        return chunk

    def finished_rows(self) -> int:
        return sum(len(self.load(chunk)) for chunk in range(self.finished_chunks()))

    def save(self, chunk: int, probabilities: np.ndarray) -> None:
        write_atomically(self._part(chunk), lambda handle: np.save(handle, probabilities, allow_pickle=False))

    def load(self, chunk: int) -> np.ndarray:
        return np.load(self._part(chunk), allow_pickle=False)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, chunk: int) -> Path:
        return self.folder / f"part-{chunk:06d}.npy"


def check_agreement(folder: Path, agreement: dict[str, Any]) -> None:
    try:
        recorded = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        changed = [
            f"  {name}: was {recorded.get(name)!r}, is now {value!r}"
            for name, value in agreement.items()
            if recorded.get(name) != value
        ]
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{folder} holds scores, but its {STATE_FILE} cannot be read", hint=OVERWRITE_HINT) from error
    if changed:
        lines = [f"{folder} holds the scores of an earlier run that this one cannot continue; what changed:", *changed]
        raise UserError("\n".join(lines), hint=f"{OVERWRITE_HINT}, or repeat the earlier command to continue it")


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """After a crash at any moment, `path` is absent, as it was, or complete."""
    unfinished = path.with_name(path.name + ".tmp")
    with unfinished.open("wb") as handle:
        write(handle)
    move_into_place(unfinished, path)


def move_into_place(unfinished: Path, path: Path) -> None:
    """On disk first: a rename that survives a power cut before its content does would leave an empty file."""
    with unfinished.open("rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(unfinished, path)
