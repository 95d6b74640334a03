"""A mixture of data sets: each keeps its own splits and labels, and no split of one holds sentences that another trains on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from paraphrase_lab.configuration.quoting import named_in_mixture
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.data.labels import ZERO_ONE
from paraphrase_lab.data.pair_table import SPLITS, PairTable, PairTables
from paraphrase_lab.data.pairs import RawPair
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.data.tables import PairSource, load_tables
from paraphrase_lab.errors import UserError

HELD_OUT = ("test", "validation")


class Source(NamedTuple):
    """A data set of a mixture; `reading` are the arguments of `load_tables`."""

    pairs: PairSource
    reading: Mapping[str, Any]


class Mixture:
    """
    Args:
        sources: the data sets by their names.
        weights: how often each training pair of a source comes in an epoch, 1 where nothing is said. 0.5 is half of the pairs,
            the same ones in every epoch, by whole clusters of shared sentences; 2.5 all of them twice and half of them once
            more; 0 none: that source is validated and tested on alone.
    """

    labels = ZERO_ONE

    def __init__(self, sources: Mapping[str, Source], weights: Mapping[str, float] | None = None) -> None:
        self.sources, self.weights = sources, dict(weights or {})
        if len(sources) < 2:
            named = f"only {next(iter(sources))}" if sources else "none"
            raise UserError(f"a mixture needs two sources or more, and data.sources has {named}")
        if unknown := [name for name in self.weights if name not in sources]:
            raise UserError(f"data.weights.{unknown[0]}: there is no such source", valid=f"sources: {', '.join(sources)}")
        for name, weight in self.weights.items():
            if not weight >= 0:
                raise UserError(f"data.weights.{name}={weight:g}", valid="0 or more: how often a pair comes in an epoch")
        if not any(self.weights.get(name, 1) for name in sources):
            raise UserError("data.weights are 0 for all sources: nothing is left to train on", valid="one above 0 or more")

    def splits(self) -> dict[str, Iterable[RawPair | BadRow]]:
        return {split: _rows(table) for split, table in self.tables.splits.items()}

    def require_columns(self) -> None:
        """Raise UserError where a file of a source is missing or lacks a column."""
        for name, source in self.sources.items():
            if (require := getattr(source.pairs, "require_columns", None)) is not None:
                with _named(name):
                    require()

    def count(self, split: str) -> int | None:
        total = 0
        for name, source in self.sources.items():
            with _named(name):
                count = source.pairs.count(split)
            if count is None:
                return None
            total += round(count * self.weights.get(name, 1)) if split == "train" else count
        return total

    @cached_property
    def tables(self) -> PairTables:
        """The splits of all sources, each pair in the group of its source; what a training must not hold is left out."""
        read = {name: self._read(name) for name in self.sources}
        notes = [f"{name}: {note}" for name, tables in read.items() for note in tables.notes]
        bad_rows = list(chain.from_iterable(tables.bad_rows for tables in read.values()))
        splits = {name: dict(tables.splits) for name, tables in read.items()}
        for name in [name for name in splits if self.weights.get(name) == 0]:
            splits[name].pop("train", None)
        notes += _without_leaks(splits)
        sizes = []
        for name, of_source in splits.items():
            weight = self.weights.get(name, 1)
            if "train" in of_source and weight != 1:
                of_source["train"] = _weighted(of_source["train"], weight, self.sources[name].reading["split_seed"])
            times = f" (x {weight:g})" if weight != 1 else ""
            sizes.append(f"{len(of_source.get('train', ())):,} of {name}{times}")
        joined = {
            split: _joined({name: of_source[split] for name, of_source in splits.items() if split in of_source})
            for split in SPLITS
            if any(split in of_source for of_source in splits.values())
        }
        for split in [split for split in HELD_OUT if split in joined]:
            sizes_of_sources = [len(of_source[split]) for of_source in splits.values() if split in of_source]
            joined[split] = _interleaved(joined[split], sizes_of_sources)
        return PairTables(joined, bad_rows, [f"an epoch has {', '.join(sizes)}", *notes])

    def _read(self, name: str) -> PairTables:
        with _named(name):
            return load_tables(self.sources[name].pairs, **self.sources[name].reading, one_label=True)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the source in an error about it, and its keys by their places in the mixture."""
    try:
        yield
    except UserError as error:
        texts = [named_in_mixture(text, f"data.sources.{name}") for text in (error.problem, error.valid, error.hint)]
        raise type(error)(f"{name}: {texts[0]}", valid=texts[1], hint=texts[2]) from error


def _rows(table: PairTable) -> Iterator[RawPair]:
    groups = table.groups or [None] * len(table)
    rows = zip(table.sentence1, table.sentence2, table.labels.tolist(), table.ids, groups, strict=True)
    for line, (first, second, label, id, group) in enumerate(rows, start=1):
        yield RawPair(first, second, label, id, str(group), line, group)


def _without_leaks(splits: dict[str, dict[str, PairTable]]) -> list[str]:
    """Take out of train what shares a sentence with validation or test of another source, and out of validation with test."""
    notes = []
    for name, of_source in splits.items():
        for split, held_out in (("train", HELD_OUT), ("validation", ("test",))):
            if split not in of_source:
                continue
            for other, of_other in splits.items():
                for place in [place for place in held_out if other != name and place in of_other]:
                    table = of_source[split]
                    shared = np.isin(table.sentence_hashes, of_other[place].sentence_hashes).any(axis=1)
                    if not shared.any():
                        continue
                    if shared.all():
                        raise UserError(f"every {split} pair of {name} has a sentence that {place} of {other} has, too")
                    of_source[split] = table.select(np.flatnonzero(~shared))
                    notes.append(
                        f"{int(shared.sum()):,} of {len(table):,} {split} pairs of {name} are left out, "
                        f"since {place} of {other} has one of their sentences"
                    )
    return notes


def _weighted(table: PairTable, weight: float, seed: int) -> PairTable:
    times, part = divmod(weight, 1)
    drawn = _drawn_clusters(table, round(part * len(table)), seed)
    rows = np.concatenate([np.tile(np.arange(len(table)), int(times)), drawn])
    if not len(rows):
        raise UserError(f"a weight of {weight:g} leaves none of {len(table):,} pairs")
    return table.select(rows)


def _drawn_clusters(table: PairTable, pairs: int, seed: int) -> np.ndarray:
    """Return the rows, ascending, of about this number of pairs: whole clusters of shared sentences keep contrasts together.

    Where large clusters alone are left, single pairs of them fill up.
    """
    if not pairs:
        return np.array([], dtype=np.int64)
    clusters, random = sentence_clusters(table.sentence1, table.sentence2), np.random.default_rng(seed)
    sizes, taken, missing = np.bincount(clusters), np.zeros(clusters.max() + 1, dtype=bool), pairs
    for cluster in random.permutation(len(sizes)):
        if sizes[cluster] <= missing:
            taken[cluster] = True
            missing -= sizes[cluster]
    others = random.permutation(np.flatnonzero(~taken[clusters]))
    return np.sort(np.concatenate([np.flatnonzero(taken[clusters]), others[:missing]]))


def _interleaved(table: PairTable, sizes: Sequence[int]) -> PairTable:
    """Mix the sources evenly, each in its own order: the first pairs of the split, which a limit keeps, are of all of them."""
    places = np.concatenate([np.arange(size) / size for size in sizes])
    return table.select(np.argsort(places, kind="stable"))


def _joined(tables: Mapping[str, PairTable]) -> PairTable:
    """Return all pairs, each in the group of its source, which also begins its id."""
    return PairTable(
        [f"{name}-{id}" for name, table in tables.items() for id in table.ids],
        [text for table in tables.values() for text in table.sentence1],
        [text for table in tables.values() for text in table.sentence2],
        np.concatenate([table.labels for table in tables.values()]),
        [name for name, table in tables.items() for _ in range(len(table))],
    )
