"""Sources of pairs: the embedded generator, PAWS, files or Hub data sets of your own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paraphrase_lab.data.cells import Cells
from paraphrase_lab.data.columns import is_inside, require_columns, suggested_columns
from paraphrase_lab.data.files import RowReader, column_names, count_rows, has_rows, stored_label_names
from paraphrase_lab.data.folders import Names, refuse_missing_splits, split_files, split_names
from paraphrase_lab.data.formats import TEXT_FORMATS, file_format, named_format
from paraphrase_lab.data.generated import WordOrder
from paraphrase_lab.data.group_column import group_name, has_group, no_group_column
from paraphrase_lab.data.labels import ZERO_ONE, label_mapping, meaning, names_problem
from paraphrase_lab.data.opening import is_pipe
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.pair_table import SPLITS
from paraphrase_lab.data.pairs import LeftOut, RawPair
from paraphrase_lab.data.rows import BadRow, Row, as_text, value_at
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path

__all__ = ["Paws", "Pairs", "WordOrder"]
"""Saved configurations name them here."""
Rows = Iterable[RawPair | BadRow | LeftOut]


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
        labels: Mapping[str, int | None] | None = None,
        format: str | None = None,
        delimiter: str | None = None,
        quoting: str = "auto",
        encoding: str = "utf-8",
        columns: Sequence[str] | None = None,
        splits: Mapping[str, Any] | None = None,
        positive_from: float | None = None,
        score_range: Sequence[float] | None = None,
        placeholders: Sequence[str] | None = None,
        python_bytes: bool = False,
        group: str | None = None,
    ) -> None:
        self.path, self.subset, self.revision = path, subset, revision
        self.given = {"train": train, "validation": validation, "test": test}
        for key, file in {"path": path, **self.given}.items():
            if file and is_pipe(user_path(file)):
                raise UserError(
                    f"data.{key}={file} is a pipe, and data are read several times",
                    hint=f"save them to a file: data.{key}=FILE",
                )
        self.columns, self.group = (sentence1, sentence2, label), group
        if len(set(self.columns)) < 3:
            twice = next(name for name in self.columns if self.columns.count(name) > 1)
            raise UserError(
                f"the column '{twice}' is named twice by data.sentence1, data.sentence2 and data.label",
                valid="three columns: two of sentences and one of labels",
            )
        self.labels = label_mapping(labels)
        self.cells = Cells(labels or {}, positive_from, score_range, placeholders or (), python_bytes)
        self.names = split_names(splits)
        self.options = ReadOptions(format, delimiter, quoting, encoding, tuple(columns or ()))

    def files(self) -> dict[str, list[Path]]:
        """Return the files of each split; empty when `path` names a Hub data set."""
        named = {split: [user_path(file)] for split, file in self.given.items() if file}
        path = user_path(self.path) if self.path else None
        if path is not None and path.is_dir():
            return {**split_files(path, [split for split in SPLITS if split not in named], self.subset, self.names), **named}
        if path is not None and _is_file(path):
            if "train" in named:
                raise UserError(
                    f"data.path={path} and data.train={named['train'][0]} both name the training pairs",
                    hint="data.path=null leaves those of data.train",
                )
            return {"train": [path], **named}
        if path is None and not named:
            raise UserError(
                "nothing says where the pairs are",
                valid="data.path=FILE, data.path=DIRECTORY, data.path=HUB_NAME, or data.train=FILE data.test=FILE",
            )
        return named

    @property
    def hub_name(self) -> str | None:
        path = user_path(self.path) if self.path else None
        return self.path if path is not None and not path.is_dir() and not _is_file(path) else None

    def splits(self) -> dict[str, Rows]:
        files, hub_name = self.files(), self.hub_name
        wanted = {split: () if split in files else names for split, names in self.names.items()}
        splits = _hub_splits(hub_name, self.subset, self.revision, wanted) if hub_name else {}
        found: dict[str, Rows] = {split: self._hub_rows(f"{hub_name}/{split}", rows) for split, rows in splits.items()}
        self.require_columns()
        return found | {split: self._file_rows(parts) for split, parts in files.items()}

    def require_columns(self) -> None:
        """Raise UserError where a file is missing or lacks a column, or there are no rows to train on.

        A test split may lack the label, as a secret one does.
        """
        files = self.files()
        for split, parts in files.items():
            for file in parts:
                require_columns(file, self.columns[:2] if self._is_secret(split, file) else self.columns, self.options)
                if self.group and not is_inside(file, self.group, self.options):
                    there = column_names(file, self.options, (*self.columns, self.group))
                    if self.group not in there:
                        raise no_group_column(str(file), self.group, there)
            if (split == "train" or len(files) == 1) and not any(has_rows(file, self.options) for file in parts):
                is_text = file_format(parts[0], self.options) in TEXT_FORMATS
                raise UserError(f"{parts[0]} has {'a header' if is_text else 'columns'} and no rows", valid="a row is a pair")

    def _is_secret(self, split: str, file: Path) -> bool:
        has_train = self.given["train"] is not None or self.path is not None
        if split != "test" or not has_train or len(self.files()) == 1:
            return False
        return self.columns[2] not in column_names(file, self.options, self.columns)

    def count(self, split: str) -> int | None:
        """Count the lines of a text file: exact but for quoted line breaks and bad rows. None for arrow files and Hub data."""
        counts = [count_rows(file, self.options) if file.is_file() else None for file in self.files().get(split, [])]
        known = [number for number in counts if number is not None]
        return sum(known) if known and len(known) == len(counts) else None

    def _file_rows(self, files: Sequence[Path]) -> Iterator[RawPair | BadRow | LeftOut]:
        before = 0
        for file in files:
            names = self._label_names(str(file), stored_label_names(file, self.columns[2], self.options))
            row: Row | BadRow | None = None
            for row in RowReader(file, self.options):
                yield row if isinstance(row, BadRow) else self._pair(row.values, str(file), row.line, names, before)
            before += row.line if row is not None else 0

    def _hub_rows(self, place: str, rows: Any) -> Iterator[RawPair | LeftOut]:
        names = self._label_names(place, getattr((getattr(rows, "features", None) or {}).get(self.columns[2]), "names", None))
        for number, row in enumerate(rows, start=1):
            if number == 1 and (missing := [column for column in self.columns if column not in row]):
                named = suggested_columns(row, self.columns, self.options)
                raise UserError(
                    f"{place} has no column {', '.join(missing)}",
                    valid=f"columns: {', '.join(row)}",
                    hint=named or "data.sentence1=NAME data.sentence2=NAME data.label=NAME names the columns",
                )
            if number == 1 and self.group and not has_group(row, self.group):
                raise no_group_column(place, self.group, row)
            yield self._pair(row, place, number, names)

    def _label_names(self, place: str, names: Sequence[str] | None) -> Sequence[str] | None:
        """Return the names of the numbers that stand for labels, where the names are to be used.

        Raises:
            UserError: nothing is said about the labels, and by its names 0 is the paraphrase.
        """
        if names is None or any(meaning(name, self.labels) is not None for name in names):
            return names
        if self.labels == ZERO_ONE and (hint := names_problem(names)):
            raise UserError(f"{place}: the label 0 is named '{names[0]}' and 1 '{names[1]}'", hint=hint)
        return names if self.labels == ZERO_ONE and len(names) > 2 else None

    def _pair(
        self, values: Mapping[str, Any], place: str, line: int, names: Sequence[str] | None = None, before: int = 0
    ) -> RawPair | LeftOut:
        """
        Args:
            names: of the numbers that stand for labels.
            before: rows in the files before this one, of the same split.
        """
        sentence1, sentence2, label = (as_text(value_at(values, name)) for name in self.columns)
        if names and isinstance(label, int) and 0 <= label < len(names) and not isinstance(label, bool):
            label = names[label]
        name = values.get("id")
        group = group_name(values, self.group, place, line) if self.group else None
        id = str(line + before if name is None else name)
        pair = RawPair(sentence1, sentence2, label, id, place, line, group)
        return self.cells.read(pair)


class Paws(Pairs):
    """PAWS-Wiki labeled_final, from the Hub or from a directory of its TSV files."""

    HUB_NAME = "google-research-datasets/paws"
    SUBSET = "labeled_final"
    PAIRS = {"train": 49_401, "validation": 8_000, "test": 8_000}

    def __init__(self, path: str | None = None, revision: str | None = None) -> None:
        super().__init__(path or self.HUB_NAME, self.SUBSET, revision, quoting="none")
        self.directory = user_path(path) if path else None

    def files(self) -> dict[str, list[Path]]:
        if self.directory is not None and not self.directory.is_dir():
            valid = "a directory with train.tsv, validation.tsv and test.tsv"
            raise UserError(f"data.path={self.directory} is not a directory", valid=valid)
        return split_files(self.directory) if self.directory is not None else {}

    @property
    def hub_name(self) -> str | None:
        return self.HUB_NAME if self.directory is None else None

    def count(self, split: str) -> int | None:
        return self.PAIRS.get(split) if self.directory is None else super().count(split)


def _is_file(path: Path) -> bool:
    """Tell whether it is a file, or meant as one."""
    return path.is_file() or named_format(path) is not None


def _hub_splits(name: str, subset: str | None, revision: str | None, names: Names) -> dict[str, Any]:
    import datasets  # takes a second to import, and only Hub data needs it

    try:
        loaded = datasets.load_dataset(name, subset, revision=revision)
    except Exception as error:
        raise UserError(
            f"the data set {name} could not be loaded from the Hub: {type(error).__name__}: {error}".splitlines()[0],
            valid="is the name right and the network there?",
            hint="without a network: data.path=DIRECTORY with the files of train, validation and test; "
            "HF_HUB_OFFLINE=1 uses what is cached",
        ) from error
    if not isinstance(loaded, datasets.DatasetDict):
        raise UserError(f"{name} is not a data set with splits")
    found: dict[str, Any] = {
        split: loaded[one]
        for split in SPLITS
        if (one := next((one for one in names[split] if one in loaded), None)) is not None
    }
    refuse_missing_splits(found, names, name, map(str, loaded))
    return found
