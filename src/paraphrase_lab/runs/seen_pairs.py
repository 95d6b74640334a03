"""The pairs that a run has trained on, or chosen its checkpoint on, as hashes: other pairs are compared with them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paraphrase_lab.data.tables import PairTable
from paraphrase_lab.files import atomic_write
from paraphrase_lab.runs.record import RunRecord

FILE_NAME = "seen_pairs.npz"
TRAINED, CHOSEN = "train", "validation"


class Seen(NamedTuple):
    """Marks the pairs of a table that a run has seen: bool [pairs] each."""

    trained: np.ndarray
    chosen: np.ndarray
    """Scored to choose the checkpoint, and to fit the calibration."""
    is_known: bool = True
    """False for a run that was saved before pairs were recorded: then only whole splits are recognised."""

    @property
    def any(self) -> np.ndarray:
        return self.trained | self.chosen


def pair_hashes(table: PairTable) -> np.ndarray:
    """Return uint64 [pairs], equal for both orders of a pair and whatever its capitals and spaces."""
    return np.fromiter(map(_pair_hash, table.sentence1, table.sentence2), dtype=np.uint64, count=len(table))


def write_seen_pairs(run_dir: Path, train: PairTable, validation: PairTable | None) -> None:
    with atomic_write(run_dir / FILE_NAME) as unfinished, unfinished.open("wb") as handle:
        chosen = np.empty(0, dtype=np.uint64) if validation is None else pair_hashes(validation)
        np.savez_compressed(handle, **{TRAINED: pair_hashes(train), CHOSEN: chosen})


def seen_by(run_dir: Path, table: PairTable) -> Seen:
    """Return which of the pairs the run in the directory has seen."""
    if (path := run_dir / FILE_NAME).is_file():
        hashes = pair_hashes(table)
        with np.load(path, allow_pickle=False) as recorded:
            return Seen(np.isin(hashes, recorded[TRAINED]), np.isin(hashes, recorded[CHOSEN]))
    splits = RunRecord.read(run_dir).values.get("data") or {}
    equal = {name: split.get("fingerprint") == table.fingerprint for name, split in splits.items()}
    trained, chosen = (np.full(len(table), equal.get(name, False)) for name in (TRAINED, CHOSEN))
    return Seen(trained, chosen, is_known=False)


def _pair_hash(first: str, second: str) -> int:
    texts = sorted(" ".join(text.split()).casefold() for text in (first, second))
    return int.from_bytes(hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).digest())
