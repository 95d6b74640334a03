"""Sources of pairs: the embedded generator, PAWS, files or Hub data sets of your own."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from paraphrase_lab.data.files import FORMATS, RowReader, file_format, readable, require_columns
from paraphrase_lab.data.pair_table import SPLITS
from paraphrase_lab.data.rows import BadRow
from paraphrase_lab.data.tables import RawPair
from paraphrase_lab.data.word_order import generate
from paraphrase_lab.errors import UserError

generated = lru_cache(maxsize=2)(generate)  # the jobs of a sweep in one process generate the pairs once
ZERO_ONE = {"0": 0, "1": 1}
Rows = Iterable[RawPair | BadRow]


class WordOrder:
    """Generated pairs of the same words: see word_order.py."""

    labels = ZERO_ONE

    def __init__(self, train_pairs: int, validation_pairs: int, test_pairs: int, seed: int = 0) -> None:
        self.pairs = {"train": train_pairs, "validation": validation_pairs, "test": test_pairs}
        self.seed = seed

    def splits(self) -> dict[str, Rows]:
        return {
            split: (
                RawPair(pair.sentence1, pair.sentence2, pair.label, f"{pair.family}-{number}", "word_order", number)
                for number, pair in enumerate(pairs, start=1)
            )
            for split, pairs in generated(*self.pairs.values(), self.seed).items()
        }

    def count(self, split: str) -> int | None:
        return self.pairs.get(split)


class Pairs:
    """Files or a Hub data set, with the names of its columns and the meaning of its labels."""

    def __init__(
        self,
        path: str | None = None,
        subset: str | None = None,
        revision: str | None = None,
        train: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        sentence1: str = "sentence1",
        sentence2: str = "sentence2",
        label: str = "label",
        labels: dict[str, int] | None = None,
    ) -> None:
        self.path, self.subset, self.revision = path, subset, revision
        self.given = {"train": train, "validation": validation, "test": test}
        self.columns = (sentence1, sentence2, label)
        given = labels or ZERO_ONE
        # YAML reads the label true as a boolean; the file may write it in either way.
        lowered = {str(key).lower(): int(value) for key, value in given.items() if isinstance(key, bool)}
        self.labels = {**{str(key): int(value) for key, value in given.items()}, **lowered}

    def files(self) -> dict[str, Path]:
        """Return the file of each split; empty when `path` names a Hub data set."""
        named = {split: Path(file).expanduser() for split, file in self.given.items() if file}
        path = Path(self.path).expanduser() if self.path else None
        if path is not None and path.is_dir():
            return {**_split_files(path, [split for split in SPLITS if split not in named]), **named}
        if path is not None and _is_file(path):
            if "train" in named:
                raise UserError(
                    f"data.path={path} and data.train={named['train']} both name the training pairs",
                    hint="data.path=null leaves those of data.train",
                )
            return {"train": path, **named}
        if path is None and not named:
            raise UserError(
                "data=pairs does not say where the pairs are",
                valid="data.path=FILE, data.path=DIRECTORY, data.path=HUB_NAME, or data.train=FILE data.test=FILE",
            )
        return named

    @property
    def hub_name(self) -> str | None:
        path = Path(self.path).expanduser() if self.path else None
        return self.path if path is not None and not path.is_dir() and not _is_file(path) else None

    def splits(self) -> dict[str, Rows]:
        files, hub_name = self.files(), self.hub_name
        splits = _hub_splits(hub_name, self.subset, self.revision) if hub_name else {}
        found: dict[str, Rows] = {split: self._hub_rows(f"{hub_name}/{split}", rows) for split, rows in splits.items()}
        for split, file in files.items():
            require_columns(file, self.columns)
            found[split] = self._file_rows(file)
        return found

    def count(self, split: str) -> int | None:
        """Count the lines of a text file: exact but for quoted line breaks and bad rows. None for arrow files and Hub data."""
        file = self.files().get(split)
        if file is None or not file.is_file():
            return None
        ending = file_format(file)
        if ending == ".parquet":
            with readable(file):
                return pq.read_metadata(file).num_rows
        if ending == ".arrow":
            return None
        with file.open("rb") as lines:
            rows = sum(1 for line in lines if line.strip())
        return rows - (ending != ".jsonl")

    def _file_rows(self, file: Path) -> Iterator[RawPair | BadRow]:
        for row in RowReader(file):
            if isinstance(row, BadRow):
                yield row
            else:
                yield self._pair(row.values, str(file), row.line)

    def _hub_rows(self, place: str, rows: Iterable[dict]) -> Iterator[RawPair]:
        for number, row in enumerate(rows, start=1):
            if number == 1 and (missing := [column for column in self.columns if column not in row]):
                raise UserError(
                    f"{place} has no column {', '.join(missing)}",
                    valid=f"columns: {', '.join(row)}",
                    hint="data.sentence1=… data.sentence2=… data.label=… name the columns",
                )
            yield self._pair(row, place, number)

    def _pair(self, values: dict[str, Any], place: str, line: int) -> RawPair:
        sentence1, sentence2, label = (values.get(name) for name in self.columns)
        name = values.get("id")
        return RawPair(sentence1, sentence2, label, str(line if name is None else name), place, line)


class Paws(Pairs):
    """PAWS-Wiki labeled_final, from the Hub or from a directory of its TSV files."""

    HUB_NAME = "google-research-datasets/paws"
    SUBSET = "labeled_final"
    PAIRS = {"train": 49_401, "validation": 8_000, "test": 8_000}

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        super().__init__(path or self.HUB_NAME, self.SUBSET, revision)
        self.directory = Path(path).expanduser() if path else None

    def files(self) -> dict[str, Path]:
        if self.directory is not None and not self.directory.is_dir():
            valid = "a directory with train.tsv, validation.tsv and test.tsv"
            raise UserError(f"data.path={self.directory} is not a directory", valid=valid)
        return _split_files(self.directory) if self.directory is not None else {}

    @property
    def hub_name(self) -> str | None:
        return self.HUB_NAME if self.directory is None else None

    def count(self, split: str) -> int | None:
        return self.PAIRS.get(split) if self.directory is None else super().count(split)


def _is_file(path: Path) -> bool:
    """Tell whether it is a file, or meant as one."""
    return path.is_file() or path.suffix.lower() in FORMATS


def _split_files(directory: Path, splits: Sequence[str] = SPLITS) -> dict[str, Path]:
    names = {"train": ("train",), "validation": ("validation", "dev", "valid", "val"), "test": ("test",)}
    found = {}
    for split in splits:
        for stem in names[split]:
            matches = [directory / f"{stem}{ending}" for ending in FORMATS if (directory / f"{stem}{ending}").is_file()]
            if len(matches) > 1:
                raise UserError(
                    f"{directory} has several files for {split}: {', '.join(file.name for file in matches)}",
                    hint=f"data=pairs data.{split}=FILE names one",
                )
            if matches:
                found[split] = matches[0]
                break
    if not found and tuple(splits) == SPLITS:
        raise UserError(
            f"{directory} has no file of pairs", valid=f"train.*, validation.*, test.* with one of {', '.join(FORMATS)}"
        )
    return found


def _hub_splits(name: str, subset: str | None, revision: str | None) -> dict[str, Iterable[dict]]:
    import datasets  # takes a second to import, and only Hub data needs it

    try:
        loaded = datasets.load_dataset(name, subset, revision=revision)
    except Exception as error:
        raise UserError(
            f"the data set {name} could not be loaded from the Hub: {type(error).__name__}: {error}".splitlines()[0],
            valid="is the name right and the network there?",
            hint="without a network: data.path=DIRECTORY with train.tsv, validation.tsv, test.tsv; "
            "HF_HUB_OFFLINE=1 uses what is cached",
        ) from error
    if not isinstance(loaded, datasets.DatasetDict):
        raise UserError(f"{name} is not a data set with splits")
    aliases = {"dev": "validation", "valid": "validation"}
    known: dict[str, Any] = {aliases.get(str(split), str(split)): rows for split, rows in loaded.items()}
    return {split: known[split] for split in SPLITS if split in known}
