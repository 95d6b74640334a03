"""The pairs that a run has trained on, or chosen its checkpoint on, as hashes: other pairs are compared with them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.data.shared_pairs import pair_hashes
from paraphrase_lab.files import atomic_write
from paraphrase_lab.runs.predictions import FILE_NAME as PREDICTIONS
from paraphrase_lab.runs.record import RunRecord

FILE_NAME = "seen_pairs.npz"
TRAINED, CHOSEN = "train", "validation"


class Seen(NamedTuple):
    """Marks the pairs of a table that a run has seen: bool [pairs] each."""

    trained: np.ndarray
    chosen: np.ndarray
    """Scored to choose the checkpoint, and to fit the calibration."""
    is_known: bool = True
    """False for a run saved before pairs were recorded: its validation pairs and the whole train split are recognised."""

    @property
    def any(self) -> np.ndarray:
        return self.trained | self.chosen


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
    trained = np.full(len(table), (splits.get(TRAINED) or {}).get("fingerprint") == table.fingerprint)
    return Seen(trained, np.isin(pair_hashes(table), _scored_validation(run_dir)), is_known=False)


def _scored_validation(run_dir: Path) -> np.ndarray:
    """Return the hashes of the validation pairs in predictions.parquet."""
    if not (run_dir / PREDICTIONS).is_file():
        return np.empty(0, dtype=np.uint64)
    rows = pq.read_table(run_dir / PREDICTIONS, filters=[("split", "==", CHOSEN)])
    ids, first, second = (rows.column(name).to_pylist() for name in ("id", "sentence1", "sentence2"))
    return pair_hashes(PairTable(ids, first, second, rows.column("label").to_numpy()))
