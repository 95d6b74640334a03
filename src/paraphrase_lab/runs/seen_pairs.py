"""The pairs that a run has trained on, or chosen its checkpoint on, as hashes: other pairs are compared with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from paraphrase_lab.data.pair_table import PairTable, PairTables, SharedSentences
from paraphrase_lab.files import atomic_write
from paraphrase_lab.paths import user_path
from paraphrase_lab.runs.predictions import FILE_NAME as PREDICTIONS
from paraphrase_lab.runs.record import FILE_NAME as RUN_RECORD
from paraphrase_lab.runs.record import RunRecord

FILE_NAME = "seen_pairs.npz"
TRAINED, CHOSEN, SENTENCES = "train", "validation", "sentences"


class Seen(NamedTuple):
    """Marks the pairs of a table that a run has seen: bool [pairs] each."""

    trained: np.ndarray
    chosen: np.ndarray
    """Scored to choose the checkpoint, and to fit the calibration."""
    sharing: np.ndarray
    """Not seen, but with a sentence of a pair that was."""
    is_known: bool = True
    """False for a run saved before pairs were recorded: its validation pairs and the whole train split are recognised."""

    @property
    def any(self) -> np.ndarray:
        return self.trained | self.chosen

    def at(self, rows: np.ndarray) -> Seen:
        return Seen(self.trained[rows], self.chosen[rows], self.sharing[rows], self.is_known)


def write_seen_pairs(run_dir: Path, train: PairTable, validation: PairTable | None, earlier_runs: Sequence[Path] = ()) -> None:
    """Write the hashes of both splits, and of what the runs had seen that training starts from or copies."""
    hashes = _hashes(train, validation)
    for path in (run / FILE_NAME for run in earlier_runs if (run / FILE_NAME).is_file()):
        with np.load(path, allow_pickle=False) as earlier:
            hashes = {name: np.union1d(values, earlier[name]) for name, values in hashes.items()}
    with atomic_write(run_dir / FILE_NAME) as unfinished, unfinished.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **hashes)


def _hashes(train: PairTable, validation: PairTable | None) -> dict[str, np.ndarray]:
    nothing = np.empty(0, dtype=np.uint64)
    return {
        TRAINED: train.pair_hashes,
        CHOSEN: nothing if validation is None else validation.pair_hashes,
        SENTENCES: np.unique(np.concatenate([table.sentence_hashes.ravel() for table in (train, validation) if table])),
    }


def run_of_model(name: str | None) -> Path | None:
    """Return the run that `model.name` names, or whose exported model it names; None where it is neither."""
    places = [path := user_path(name), path.parent] if name else []
    return next((place for place in places if (place / RUN_RECORD).is_file()), None)


def seen_by_earlier_run(tables: PairTables, run_dir: Path, part: str) -> PairTables:
    """Add a note for validation pairs that an earlier run has trained on, and for test pairs that it has seen at all.

    Args:
        part: what the run is to this training, as in "whose model training starts from".
    """
    notes, shared = list(tables.notes), list(tables.shared)
    for name in tables.splits.keys() - {TRAINED}:
        seen = seen_by(run_dir, tables.splits[name])
        if pairs := int((seen.trained if name == CHOSEN else seen.any).sum()):
            total = len(tables.splits[name])
            notes.append(f"leak: {pairs:,} of {total:,} {name} pairs were seen by {run_dir}, {part}")
            shared.append(SharedSentences(str(run_dir), name, pairs, pairs))
    return replace(tables, notes=notes, shared=shared)


def seen_by(run_dir: Path, table: PairTable, older_train: PairTable | None = None) -> Seen:
    """Return which of the pairs the run in the directory has seen.

    Args:
        older_train: the train split of a run that was saved before pairs were recorded, where it is still there.
    """
    if (path := run_dir / FILE_NAME).is_file():
        with np.load(path, allow_pickle=False) as recorded:
            return _marked(table, dict(recorded))
    validation = _scored_validation(run_dir)
    if older_train is not None:
        return _marked(table, _hashes(older_train, validation))
    splits = RunRecord.read(run_dir).values.get("data") or {}
    trained = np.full(len(table), (splits.get(TRAINED) or {}).get("fingerprint") == table.fingerprint)
    chosen = np.isin(table.pair_hashes, validation.pair_hashes) if validation else np.zeros(len(table), dtype=bool)
    return Seen(trained, chosen, np.zeros(len(table), dtype=bool), is_known=False)


def _marked(table: PairTable, hashes: Mapping[str, np.ndarray]) -> Seen:
    pairs = table.pair_hashes
    trained, chosen = np.isin(pairs, hashes[TRAINED]), np.isin(pairs, hashes[CHOSEN])
    shared = np.isin(table.sentence_hashes, hashes[SENTENCES]).any(axis=1) if SENTENCES in hashes else np.zeros_like(trained)
    return Seen(trained, chosen, shared & ~(trained | chosen))


def _scored_validation(run_dir: Path) -> PairTable | None:
    """Return the validation pairs of predictions.parquet."""
    if not (run_dir / PREDICTIONS).is_file():
        return None
    rows = pq.read_table(run_dir / PREDICTIONS, filters=[("split", "==", CHOSEN)])
    ids, first, second = (rows.column(name).to_pylist() for name in ("id", "sentence1", "sentence2"))
    return PairTable(ids, first, second, rows.column("label").to_numpy())
