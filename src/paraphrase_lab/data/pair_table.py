"""The checked pairs of a data set, split by split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from paraphrase_lab.data.clusters import plain_text
from paraphrase_lab.data.rows import BadRow

SPLITS = ("train", "validation", "test")
ODD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplied by an odd number, one of two hashes changes sides: (a, b) and (a, a) are told apart from (b, b)."""


@dataclass(frozen=True)
class PairTable:
    """The checked pairs of one split."""

    ids: list[str]
    sentence1: list[str]
    sentence2: list[str]
    labels: np.ndarray  # int64 [pairs]
    groups: list[str | None] | None = None
    """The kind, source or domain of each pair, where the data name any: results are also counted by them."""
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for first, second, label in zip(self.sentence1, self.sentence2, self.labels.tolist(), strict=True):
            digest.update(f"{len(first)} {len(second)} {label} {first}{second}".encode("utf-8", "surrogatepass"))
        object.__setattr__(self, "fingerprint", digest.hexdigest())

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, indices: Sequence[int] | np.ndarray) -> PairTable:
        rows = [int(index) for index in indices]
        selected = PairTable(
            [self.ids[i] for i in rows],
            [self.sentence1[i] for i in rows],
            [self.sentence2[i] for i in rows],
            self.labels[rows],
            None if self.groups is None else [self.groups[i] for i in rows],
        )
        if "sentence_hashes" in vars(self):
            vars(selected)["sentence_hashes"] = self.sentence_hashes[rows]
        return selected

    @cached_property
    def sentence_hashes(self) -> np.ndarray:
        """uint64 [pairs, 2], equal for sentences that differ in capitals and spaces only."""
        columns = [map(_hash, plain_text(texts)) for texts in (self.sentence1, self.sentence2)]
        return np.stack([np.fromiter(column, dtype=np.uint64, count=len(self)) for column in columns], axis=1)

    @property
    def pair_hashes(self) -> np.ndarray:
        """uint64 [pairs], equal for both orders of a pair and whatever its capitals and spaces."""
        ordered = np.sort(self.sentence_hashes, axis=1)
        return ordered[:, 0] * ODD ^ ordered[:, 1]


def joined(tables: Sequence[PairTable]) -> PairTable:
    """Return the pairs of several tables, one after the other."""
    first, *others = tables
    if not others:
        return first
    ids, sentence1, sentence2 = (
        [text for table in tables for text in getattr(table, name)] for name in ("ids", "sentence1", "sentence2")
    )
    groups = [group for table in tables for group in (table.groups or [None] * len(table))]
    labels = np.concatenate([table.labels for table in tables])
    return PairTable(ids, sentence1, sentence2, labels, groups if any(table.groups for table in tables) else None)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class SharedSentences(NamedTuple):
    """Pairs of `split` with a sentence that `earlier` has too; `repeated` of them are pairs of `earlier`, in either order."""

    earlier: str
    split: str
    pairs: int
    repeated: int

    def note(self, total: int) -> str:
        share = f"{self.pairs:,} of {total:,} {self.split} pairs ({self.pairs / total:.1%})"
        same = f"; {self.repeated:,} of them are {self.earlier} pairs" if self.repeated else ""
        return f"leak: {share} have a sentence that {self.earlier} has too{same}"


@dataclass(frozen=True)
class PairTables:
    """All splits of a data set, and what was found while reading it."""

    splits: dict[str, PairTable]
    bad_rows: list[BadRow]
    notes: list[str]
    shared: list[SharedSentences] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    """How often each label was found in the file of a single split that was read."""

    @property
    def fingerprints(self) -> dict[str, str]:
        return {name: table.fingerprint for name, table in self.splits.items()}
