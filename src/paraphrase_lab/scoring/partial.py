"""Scores of a file that is not finished yet, kept so that a killed process costs one chunk and not the night."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from paraphrase_lab.errors import UserError
from paraphrase_lab.files import atomic_write, json_text

STATE_FILE = "state.json"
OVERWRITE_HINT = "add --overwrite to start over"


class PartialScores:
    """Two files per finished chunk, probabilities and texts, and a state file that says what they are the scores of."""

    def __init__(self, folder: Path, agreement: dict[str, Any], *, overwrite: bool) -> None:
        """Raise UserError where the folder holds scores of something that `agreement` does not describe."""
        self.folder = folder
        if overwrite:
            self.remove()
        if self.finished_chunks():
            check_agreement(folder, agreement)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with atomic_write(folder / STATE_FILE, fsync=True) as unfinished:
                    unfinished.write_text(json_text(agreement, indent=2) + "\n", encoding="utf-8")
            except OSError:
                self.remove()  # it holds nothing yet
                raise

    def finished_chunks(self) -> int:
        """Return the number of saved chunks: they are saved in order, so that the first missing one ends them."""
        chunk = 0
        while self._part(chunk).exists():
            chunk += 1
        return chunk

    def save(self, chunk: int, probabilities: np.ndarray, beyond: list[str | None]) -> None:
        with atomic_write(self._texts(chunk), fsync=True) as unfinished:
            unfinished.write_text(json_text(beyond), encoding="utf-8")
        with atomic_write(self._part(chunk), fsync=True) as unfinished, unfinished.open("wb") as handle:
            np.save(handle, probabilities, allow_pickle=False)

    def load(self, chunk: int) -> np.ndarray:
        return np.load(self._part(chunk), allow_pickle=False)

    def load_beyond(self, chunk: int) -> list[str | None]:
        return json.loads(self._texts(chunk).read_text(encoding="utf-8"))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, chunk: int) -> Path:
        return self.folder / f"part-{chunk:06d}.npy"

    def _texts(self, chunk: int) -> Path:
        return self._part(chunk).with_suffix(".json")


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
