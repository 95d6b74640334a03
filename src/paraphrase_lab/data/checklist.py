"""The capability checklist: short pairs of plain English, written for this project, that tell kind by kind what a model can do.

After CheckList (Ribeiro, Wu, Guestrin, Singh, ACL 2020). Half of the items of each kind are for development and half for test;
an item is a sentence with a paraphrase and with another that is as near to it and means something else.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from paraphrase_lab.data.labels import ZERO_ONE
from paraphrase_lab.data.pair_table import PairTable
from paraphrase_lab.data.pairs import RawPair, check_pairs
from paraphrase_lab.data.rows import BadRow

FILE = Path(__file__).with_name("checklist.csv")
HALVES = {"validation": "dev", "test": "test"}
"""The half that is scored with each split."""
SPLIT_NAMES = {split: f"checklist_{half}" for split, half in HALVES.items()}
"""Begins the names of the metrics and stands for the split in predictions.parquet."""


class Checklist:
    """The checklist as a data set that has no pairs to train on."""

    labels = ZERO_ONE

    def splits(self) -> dict[str, Iterable[RawPair | BadRow]]:
        return {split: self._rows(half) for split, half in HALVES.items()}

    def count(self, split: str) -> int | None:
        return sum(1 for _ in self._rows(HALVES[split])) if split in HALVES else None

    def _rows(self, half: str) -> Iterator[RawPair]:
        with FILE.open(encoding="utf-8", newline="") as handle:
            for line, row in enumerate(csv.DictReader(handle), start=2):
                if row["half"] == half:
                    yield RawPair(row["sentence1"], row["sentence2"], row["label"], row["id"], FILE.name, line, row["kind"])


@cache
def checklist_table(split: str) -> PairTable:
    """Return the pairs of the half that is scored with a split."""
    return check_pairs(Checklist().splits()[split], ZERO_ONE).table
