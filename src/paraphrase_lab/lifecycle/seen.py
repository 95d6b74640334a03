"""The pairs of an evaluation beside those of the training: what a run has seen is refused, left out, or named so."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import DictConfig

from paraphrase_lab import build
from paraphrase_lab.data.pair_table import PairTable, PairTables
from paraphrase_lab.errors import KnownError, UserError
from paraphrase_lab.metrics.names import SEEN
from paraphrase_lab.runs.record import RunRecord
from paraphrase_lab.runs.seen_pairs import FILE_NAME, TRAINED, Seen, seen_by

REFUSE, DROP, KEEP = "refuse", "drop", "keep"


class PairsToScore(NamedTuple):
    """The pairs of an evaluation; `name` is that of their split, or SEEN. `seen` holds the counts for metrics.json."""

    name: str
    tables: PairTables
    notes: list[str]
    seen: dict[str, Any]


def changed_since_training(run_dir: Path, name: str, fingerprint: str) -> list[str]:
    """Return a note where a split is not the one that the run was trained with."""
    trained_with = (RunRecord.read(run_dir).values.get("data") or {}).get(name, {}).get("fingerprint", fingerprint)
    if trained_with == fingerprint:
        return []
    now_and_then = f"its fingerprint is {fingerprint[:8]}, and was {trained_with[:8]}"
    return [f"{name} has changed since {run_dir} was trained: {now_and_then}"]


def own_split(run_dir: Path, name: str, tables: PairTables, mode: str) -> PairsToScore:
    """Return a split that the run was trained with: it keeps its name, and notes say how much of it the run has seen."""
    found = seen_by(run_dir, tables.splits[name])
    notes = [] if mode == REFUSE else ["--seen is about other data: it changes nothing for the run's own splits"]
    if name != "test":
        notes.append(f"{_counted(run_dir, found)}: their scores say little about new pairs")
    elif found.any.any():
        notes.append(_counted(run_dir, found))
    return PairsToScore(name, tables, notes, _recorded(found, left_out=0))


def other_pairs(
    run_dir: Path, saved: DictConfig, name: str, tables: PairTables, mode: str, changed: Sequence[str] = ()
) -> PairsToScore:
    """Return the pairs of other data than those of the training, without or despite what the run has seen.

    Args:
        saved: the configuration of the run: one of an older release has to read its training pairs again.
        mode: what becomes of pairs that were seen: REFUSE, DROP or KEEP, which names them all SEEN.
        changed: notes about files of the training that have changed since.

    Raises:
        UserError: pairs that were seen, with REFUSE, or with DROP where not all of them are known.
    """
    table = tables.splits[name]
    found = seen_by(run_dir, table, _older_training_pairs(run_dir, saved))
    if not found.any.any():
        unknown = f"{run_dir} was saved before pairs were recorded: whether it has trained on some of these is not known"
        notes = [*([] if found.is_known else [unknown]), *_leaks(run_dir, found)]
        return PairsToScore(name, tables, notes, _recorded(found, left_out=0))
    said = _counted(run_dir, found)
    if mode == DROP and found.is_known and not found.any.all():
        kept = np.flatnonzero(~found.any)
        left = f"{said}: these are left out, {len(kept):,} pairs are scored"
        notes = [left, *_leaks(run_dir, found.at(kept))]
        return PairsToScore(
            name, replace(tables, splits={name: table.select(kept)}), notes, _recorded(found, int(found.any.sum()))
        )
    if mode == KEEP:
        notes = [f"{said}: no scores of a test, hence the name {SEEN}"]
        return PairsToScore(SEEN, replace(tables, splits={SEEN: table}), notes, _recorded(found, left_out=0))
    own_test = "test" in (RunRecord.read(run_dir).values.get("data") or {}) and not changed
    hints = [
        *([f"`paraphrase evaluate {run_dir}` scores its own test split"] if own_test else []),
        *(["--seen drop leaves the seen pairs out"] if found.is_known else []),
        f"--seen keep scores all under the name {SEEN}",
    ]
    raise UserError(
        "; ".join([*changed, f"{said}: their scores would not be those of a test"]),
        valid="pairs that the run has not seen",
        hint=", ".join(hints),
    )


def _older_training_pairs(run_dir: Path, saved: DictConfig) -> PairTable | None:
    """Read the train split of a run again that was saved before pairs were recorded; None where it is gone or changed."""
    recorded = ((RunRecord.read(run_dir).values.get("data") or {}).get(TRAINED) or {}).get("fingerprint")
    if (run_dir / FILE_NAME).is_file() or recorded is None:
        return None
    with suppress(KnownError):
        train = build.build_tables(saved).splits[TRAINED]
        return train if train.fingerprint == recorded else None
    return None


def _counted(run_dir: Path, found: Seen) -> str:
    trained, chosen, total = (f"{int(marks.sum()):,}" for marks in (found.trained, found.chosen, np.ones(len(found.any))))
    if found.is_known or found.trained.any():
        return f"{run_dir} has trained on {trained} of these {total} pairs and chosen its checkpoint on {chosen}"
    return (
        f"{run_dir} has chosen its checkpoint on {chosen} of these {total} pairs, and on how many it has trained is not known: "
        "it was saved before pairs were recorded, and its training data are not there any more"
    )


def _leaks(run_dir: Path, found: Seen) -> list[str]:
    count, total = int(found.sharing.sum()), len(found.sharing)
    share = f"{count:,} of {total:,} pairs ({count / max(1, total):.1%})"
    return [f"leak: {share} have a sentence that {run_dir} has trained on or chosen its checkpoint on"] if count else []


def _recorded(found: Seen, left_out: int) -> dict[str, Any]:
    counts = {"trained": found.trained, "chosen": found.chosen, "sharing_a_sentence": found.sharing}
    return {name: int(marks.sum()) for name, marks in counts.items()} | {"left_out": left_out, "is_known": found.is_known}
