"""One scoring: which pairs of which file go where, and whether that can be done at all."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote
from typing import Any

from paraphrase_lab.data.columns import require_columns
from paraphrase_lab.data.files import RowReader
from paraphrase_lab.data.options import READING, ReadOptions
from paraphrase_lab.data.rows import BadRow, Row, as_text, is_blank, shortened, value_at
from paraphrase_lab.errors import UserError
from paraphrase_lab.scoring.output import OUTPUT_FORMATS
from paraphrase_lab.storage import free_bytes, require_writable, size

log = logging.getLogger(__name__)
TEXT = (".csv", ".tsv", ".jsonl")
"""Endings of files whose size tells that of the output."""


@dataclass(frozen=True)
class ScoringTask:
    source: Path
    output: Path
    columns: tuple[str, str]
    chunk_rows: int
    options: ReadOptions = ReadOptions(flags=True)
    typed: str = ""
    """The command that was typed; empty from Python."""
    named: Path | None = None
    """What messages and lists call the source, as - for a pipe; None: its path."""

    def reader(self) -> RowReader:
        return RowReader(self.source, self.options)

    @property
    def bad_rows_file(self) -> Path:
        return self.output.with_name(self.output.name + ".bad_rows.csv")

    @property
    def partial_folder(self) -> Path:
        return self.output.with_name(self.output.name + ".partial")

    @property
    def command(self) -> str:
        """The command that messages repeat, to be followed by an option."""
        if self.typed:
            return self.typed
        given = [
            self.options.typed(name, value)
            for name in READING
            if (value := getattr(self.options, name)) != getattr(ReadOptions(), name)
        ]
        files = f"--input {quote(str(self.source))} --output {quote(str(self.output))}"
        if self.columns != ("sentence1", "sentence2"):
            files += f" {join(['--columns', *self.columns])}"
        return " ".join(["paraphrase predict RUN", files, *given])

    def agreement(self, fingerprint: str) -> dict[str, Any]:
        """Return what two processes must have in common for one to continue the other."""
        file = self.source.stat()
        return {
            "input": str(self.source.resolve()),
            "input size in bytes": file.st_size,
            "input modified at, in ns": file.st_mtime_ns,
            "columns": list(self.columns),
            "read as": str(self.options),
            "chunk_rows": self.chunk_rows,
            "fingerprint of the model": fingerprint,
        }

    def problems(self, items: Iterable[Row | BadRow]) -> Iterator[BadRow]:
        """Yield the rows that hold no pair of sentences."""
        found = (one for item in items if (one := self.problem(item)) is not None)
        return found if self.named is None else (one._replace(file=str(self.named)) for one in found)

    def problem(self, item: Row | BadRow) -> BadRow | None:
        """Return why `item` holds no pair of sentences; None where it does."""
        if isinstance(item, BadRow):
            return item
        for name in self.columns:
            sentence = as_text(value_at(item.values, name))
            if isinstance(sentence, str) and not is_blank(sentence):
                continue
            if sentence is None:
                return BadRow(str(self.source), item.line, f"'{name}' is missing", "")
            problem = "is empty" if isinstance(sentence, str) else f"is of type {type(sentence).__name__}, not text"
            return BadRow(str(self.source), item.line, f"'{name}' {problem}", shortened(sentence))
        return None


def check_task(task: ScoringTask, *, overwrite: bool) -> None:
    """Raise UserError where input, output or columns rule the scoring out."""
    source, output = task.source, task.output
    if output.suffix.lower() not in OUTPUT_FORMATS:
        raise UserError(
            f"{output} has the ending '{output.suffix}', which names no format that can be written",
            valid=f"endings that can be: {', '.join(OUTPUT_FORMATS)}",
            hint=f"for example --output {output.with_suffix('.csv')}",
        )
    if output.resolve() == source.resolve() or (output.exists() and source.exists() and output.samefile(source)):
        raise UserError(f"input and output are the same file, {source}", hint="name another file with --output")
    if output.is_dir():
        raise UserError(f"{output} is a folder", hint=f"name a file in it: --output {output / 'scored.csv'}")
    if task.columns[0] == task.columns[1]:
        raise UserError(
            f"both sentences would come from the column '{task.columns[0]}'", hint="name two columns: --columns A B"
        )
    if task.chunk_rows < 1:
        raise UserError(f"chunk_rows is {task.chunk_rows}", valid="chunk_rows is at least 1")
    require_columns(source, task.columns, task.options)
    task.reader()  # refuses a file that is written in another way than it would be read
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists already", hint=f"{task.command} --overwrite replaces it")
    require_writable(output.parent, hint="name a file in another place with --output")
    if source.suffix.lower() in TEXT and output.suffix.lower() in TEXT:
        free, needed = free_bytes(output.parent), source.stat().st_size
        if free < needed:
            log.warning(
                "%s has %s of free space; the output takes more than the input, %s", output.parent, size(free), size(needed)
            )
