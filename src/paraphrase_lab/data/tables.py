"""Pairs as text: read from a source, every row checked, bad rows named, a missing validation split cut by clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from paraphrase_lab.data.clusters import largest_share, sentence_clusters, split_by_clusters
from paraphrase_lab.data.folds import cut_fold
from paraphrase_lab.data.labels import hidden_labels, is_hidden
from paraphrase_lab.data.pair_table import SPLITS, PairTable, PairTables
from paraphrase_lab.data.pairs import LeftOut, RawPair, check_pairs, left_out_notes, refuse_one_label, unusable_rows
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.data.shared_pairs import refuse_same_pairs, shared_sentences
from paraphrase_lab.errors import UserError

FRACTION = 0.1
"""Share of the pairs that validation and test are cut with, each, unless another is given."""
LARGE_CLUSTER = 0.5
"""Share of the pairs in one cluster from which a cut by clusters is warned of."""
NO_TEST = (
    "there is no test split: every score is one on validation, which chooses the checkpoint. data.test=FILE gives one; "
    "data.test_fraction cuts one where train is the only file"
)


READING_ARGUMENTS = (
    "on_bad_rows", "validation_fraction", "test_fraction", "split_seed", "folds", "fold", "train_limit", "evaluation_limit",
)  # fmt: skip
"""Keys of a data set that `load_tables` takes."""


class PairSource(Protocol):
    """The object that `data._target_` builds: cheap to construct, reads when asked."""

    labels: dict[str, int]
    """From the text of a label to 0 (other meaning) or 1 (paraphrase)."""

    def splits(self) -> Mapping[str, Iterable[RawPair | BadRow | LeftOut]]:
        """The splits there are, of train, validation and test."""
        ...

    def count(self, split: str) -> int | None:
        """Pairs of a split when that is known without reading them."""
        ...


def load_tables(
    source: PairSource,
    *,
    on_bad_rows: str = "error",
    validation_fraction: float = FRACTION,
    test_fraction: float = FRACTION,
    split_seed: int = 0,
    folds: int | None = None,
    fold: int = 0,
    train_limit: int | None = None,
    evaluation_limit: int | None = None,
    one_label: bool = False,
) -> PairTables:
    """Read every split; cut validation off train where it is missing, and test too where train is all there is.

    With folds, train and a given validation split are put together, and validation is one of the folds that they are cut into.

    Args:
        one_label: train may have pairs of one label alone, as of a source of a mixture.

    Raises:
        BadRowsError: rows that cannot be used, unless on_bad_rows is "skip".
        UserError: a source without pairs, or none to train on; a split whose pairs are all in another.
    """
    fractions = {"validation": validation_fraction, "test": test_fraction}
    whole: PairTables | None = getattr(source, "tables", None)  # of a mixture, which has read its sources by itself
    if whole is not None and folds is not None:
        problem = "data.folds cuts one data set, and a mixture has read its sources by itself"
        raise UserError(problem, hint="data.sources.NAME.folds=5 data.sources.NAME.fold=0 cuts one of them")
    splits, problems, notes = (
        (dict(whole.splits), whole.bad_rows, list(whole.notes))
        if whole is not None
        else _read(source, on_bad_rows, fractions, split_seed, folds, fold)
    )
    if train_limit is not None and "train" in splits and train_limit < len(splits["train"]):
        drawn = np.random.default_rng(split_seed).permutation(len(splits["train"]))[:train_limit]
        splits["train"] = splits["train"].select(np.sort(drawn))
    if evaluation_limit is not None:
        for name in splits.keys() - {"train"}:
            splits[name] = splits[name].select(range(len(splits[name]))[:evaluation_limit])
    ordered = {name: splits[name] for name in SPLITS if name in splits}
    if not one_label:
        refuse_one_label(ordered, source.labels)
    shared = shared_sentences(ordered)
    return PairTables(ordered, problems, [*notes, *(one.note(len(ordered[one.split])) for one in shared)], shared)


def _read(
    source: PairSource, on_bad_rows: str, fractions: dict[str, float], split_seed: int, folds: int | None, fold: int
) -> tuple[dict[str, PairTable], list[BadRow], list[str]]:
    """Return the splits of a source, the ones that are cut off train among them, with its bad rows and notes."""
    read = {name: check_pairs(rows, source.labels) for name, rows in source.splits().items()}
    is_single = list(read) == ["train"]
    notes_of_hidden = []
    if "test" in read and len(read) > 1 and is_hidden(read["test"].labels, source.labels):
        notes_of_hidden = [f"{hidden_labels(read.pop('test').labels)}: training leaves it out, `paraphrase predict` scores it"]
    problems = unusable_rows([*read.values()], source.labels, on_bad_rows)
    splits, empty_notes = _without_empty({name: one.table for name, one in read.items()})
    unused = [*(["validation"] if "validation" in splits or folds is not None else []), *([] if is_single else ["test"])]
    notes = [
        *left_out_notes(read),
        *notes_of_hidden,
        *empty_notes,
        *(
            f"data.{name}_fraction={fractions[name]:g} cuts nothing: the data come in splits of their own"
            for name in unused
            if fractions[name] not in (0, FRACTION)  # somebody has chosen it
        ),
    ]
    refuse_same_pairs(splits)
    if folds is not None and "train" in splits:
        splits, cut_notes = cut_fold(splits, folds, fold, fractions["test"] if is_single else 0.0, split_seed)
        notes += cut_notes
    elif "validation" not in splits and "train" in splits:
        splits, cut_notes = _cut(splits, fractions["validation"], fractions["test"] if is_single else 0.0, split_seed)
        notes += cut_notes
    if "train" in splits and "test" not in splits and not notes_of_hidden:
        notes.append(NO_TEST)
    return splits, problems, notes


def load_split(
    source: PairSource, wanted: str | None, *, own: bool, on_bad_rows: str, limit: int | None, **cuts: Any
) -> tuple[str, PairTables]:
    """Read one split for an evaluation, without reading the others where that is possible.

    Args:
        wanted: null for test, or for all pairs of another source that is a single file.
        own: the source is the one that the run was trained on, so that its splits are cut as they were then.
        limit: number of pairs to take, the first ones.
        cuts: validation_fraction, test_fraction, split_seed, folds, fold and train_limit, as in `load_tables`.

    Raises:
        UserError: the source has no such split.
    """
    if getattr(source, "tables", None) is not None:
        tables = load_tables(source, on_bad_rows=on_bad_rows, evaluation_limit=limit, **cuts)
        name = wanted or "test"
        if name not in tables.splits:
            raise UserError(f"the data set has no {name} split", valid=f"splits: {', '.join(tables.splits)}")
        return name, replace(tables, splits={name: tables.splits[name]})
    found = source.splits()
    name = wanted or ("test" if own or "test" in found else next(iter(found), "test"))
    is_cut = name not in found or name == "train" or (name == "validation" and cuts.get("folds") is not None)
    if "train" in found and is_cut and (own or name == "validation"):
        tables = load_tables(source, on_bad_rows=on_bad_rows, evaluation_limit=limit, **cuts)
        found = tables.splits
        if name in found:
            return name, replace(tables, splits={name: tables.splits[name]})
    if name not in found:
        raise UserError(f"the data set has no {name} split", valid=f"splits: {', '.join(found)}")
    read = check_pairs(source.splits()[name], source.labels)
    shown = "test" if wanted is None and len(found) == 1 else name  # a file of pairs has no splits
    if is_hidden(read.labels, source.labels):
        raise UserError(
            hidden_labels(read.labels, shown), hint="`paraphrase predict RUN --input FILE --output SCORES` scores it"
        )
    problems = unusable_rows([read], source.labels, on_bad_rows)
    table = read.table
    if not len(table):
        raise UserError(f"the {name} split has no usable pairs", hint="`paraphrase data` describes what is read")
    if limit is not None:
        table = table.select(range(len(table))[:limit])
    return shown, PairTables({shown: table}, problems, left_out_notes({shown: read}), labels=read.labels)


def first_pairs(tables: PairTables, name: str, limit: int | None) -> PairTables:
    """Keep the first pairs of a split; train has a limit of its own."""
    table = tables.splits[name]
    if limit is None or name == "train":
        return tables
    return replace(tables, splits=tables.splits | {name: table.select(range(len(table))[:limit])})


def _without_empty(splits: dict[str, PairTable]) -> tuple[dict[str, PairTable], list[str]]:
    """Leave out splits without a usable pair: some Hub data sets keep the test labels secret."""
    empty = [name for name, table in splits.items() if not len(table)]
    if "train" in empty or len(empty) == len(splits):
        where = "the train split" if "train" in empty and len(splits) > 1 else "the data set"
        raise UserError(f"{where} has no usable pairs", hint="`paraphrase data` describes what is read")
    kept = {name: table for name, table in splits.items() if len(table)}
    return kept, [f"{name} has no usable pairs and is left out" for name in empty]


def _cut(
    splits: dict[str, PairTable], validation_fraction: float, test_fraction: float, seed: int
) -> tuple[dict[str, PairTable], list[str]]:
    given = splits["train"]
    fractions = {"validation": validation_fraction}
    if validation_fraction + test_fraction >= 1:
        fractions = f"data.validation_fraction={validation_fraction:g} and data.test_fraction={test_fraction:g}"
        raise UserError(f"{fractions} leave nothing to train on", valid="fractions that are less than 1 together")
    if test_fraction:
        fractions = {"test": test_fraction, "validation": validation_fraction / (1 - test_fraction)}
    cut = dict(splits)
    for name, fraction in fractions.items():
        train = cut["train"]
        kept, held_out = split_by_clusters(train.sentence1, train.sentence2, train.labels, fraction, seed)
        cut |= {"train": train.select(kept), name: train.select(held_out)}
    largest = largest_share(sentence_clusters(given.sentence1, given.sentence2))
    sizes = ", ".join(f"{len(cut[name]):,} {name}" for name in SPLITS if name in ("train", *fractions))
    keys = "".join(
        f"data.{name}_fraction={value}, "
        for name, value in (("validation", validation_fraction), ("test", test_fraction))
        if name in fractions
    )
    notes = [
        f"{len(given):,} pairs were cut by clusters of shared sentences: {sizes}; the largest cluster holds {largest:.1%} "
        f"({keys}data.split_seed={seed})"
    ]
    if largest >= LARGE_CLUSTER:
        files = " ".join(f"data.{name}=FILE" for name in fractions)
        notes.append(
            f"one cluster of shared sentences holds {largest:.1%} of the pairs, so that the other splits hold only the rest: "
            f"give files of their own with {files}"
        )
    return cut, notes
