"""Scores the pairs of a file of any length: streamed, resumable, with every input column and the order kept.

Scores are kept chunk by chunk in `OUTPUT.partial`. Once all are there, the output is written beside them and moved into
place. So a killed process loses one chunk at most, and nobody ever sees half an output.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from paraphrase_lab.data.beyond_training import COLUMN, FlagCounts
from paraphrase_lab.data.options import ReadOptions
from paraphrase_lab.data.rows import BadRow, Row, as_text, bad_rows_error, value_at, write_bad_rows
from paraphrase_lab.errors import RunError, TrainingError, UserError
from paraphrase_lab.files import atomic_write
from paraphrase_lab.runtime.progress import Progress, shown_progress
from paraphrase_lab.scoring.output import open_writer, output_schema
from paraphrase_lab.scoring.partial import PartialScores
from paraphrase_lab.scoring.task import ScoringTask, check_task
from paraphrase_lab.storage import storage_fault


class PairScorer(Protocol):
    advance: Callable[[int], None]
    """It calls this with the number of pairs of each batch that is scored."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return [pairs] probability of "paraphrase", float64, in the order of `pairs`."""
        ...

    def beyond_training(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        """Return [pairs] what of each pair that was just scored the training never had, empty where nothing."""
        ...

    @property
    def threshold(self) -> float: ...

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the weights and the calibration: equal fingerprints promise equal scores."""
        ...


@dataclass(frozen=True)
class ScoringSummary:
    """`rows` = `scored` + `bad_rows`; the scores of the first `resumed_from_row` rows come from an earlier process."""

    rows: int
    scored: int
    bad_rows: int
    resumed_from_row: int
    seconds: float
    output: Path
    paraphrase_share: float | None  # of the scored rows; None where there are none
    beyond_training: str = ""
    """A sentence about the pairs that the model cannot judge; empty where there are none."""


def score_file(
    scorer: PairScorer,
    source: Path,
    output: Path,
    *,
    columns: tuple[str, str] = ("sentence1", "sentence2"),
    chunk_rows: int = 10_000,
    on_bad_rows: Literal["error", "skip"] = "error",
    overwrite: bool = False,
    options: ReadOptions = ReadOptions(flags=True),  # noqa: B008  # frozen
    typed: str = "",
    named: Path | None = None,
) -> ScoringSummary:
    """Write `source` with the columns `probability`, `prediction` (1 = paraphrase) and `beyond_training` to `output`.

    Called again after an interruption, it continues, and the output is the same to the byte. With "skip", rows without
    two sentences keep their place with these columns empty; rows that cannot be parsed are left out; both are listed in
    `OUTPUT.bad_rows.csv`. Raises UserError for files, columns and (with "error") rows that cannot be used.

    Args:
        typed: the command that messages repeat with one more option; empty: one is made up.
        named: what messages and lists call the source; None: its path.
    """
    started = time.monotonic()
    task = ScoringTask(source, output, columns, chunk_rows, options, typed, named)
    check_task(task, overwrite=overwrite)
    schema = output_schema(source, output, options)
    fingerprint = scorer.fingerprint
    agreement = task.agreement(fingerprint)
    with storage_faults(task):
        scores = PartialScores(task.partial_folder, agreement, overwrite=overwrite)
        with shown_progress(f"scoring {(named or source).name}", 1.0) as shown:
            resumed_from_row = score_chunks(scorer, task, scores, ProgressReport(shown), skip=on_bad_rows == "skip")
        if task.agreement(fingerprint) != agreement:
            raise UserError(f"{source} was changed while it was being scored", hint=f"{task.command} --overwrite")
        written = write_output(task, scores, schema, scorer.threshold)
        scores.remove()
    return ScoringSummary(
        rows=written.rows,
        scored=written.scored,
        bad_rows=written.rows - written.scored,
        resumed_from_row=resumed_from_row,
        seconds=time.monotonic() - started,
        output=output,
        paraphrase_share=written.paraphrases / written.scored if written.scored else None,
        beyond_training=written.beyond.line(),
    )


@contextmanager
def storage_faults(task: ScoringTask) -> Iterator[None]:
    """Raise TrainingError, which says what is kept, for an error of the file system, such as a full disk."""
    try:
        yield
    except OSError as error:
        if (fault := storage_fault(error, task.output.parent)) is None:
            raise
        kept = f"; the same command continues with the scores that are kept in {task.partial_folder}"
        raise TrainingError(fault + (kept if task.partial_folder.is_dir() else "")) from error


class ProgressReport:
    """Shares of the file, whose number of rows nobody knows before its end."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._started, self._rows, self._share = time.monotonic(), 0, 0.0

    def skip(self, read: float) -> None:
        """Say that an earlier process has scored the file up to here."""
        self._share = read
        self._shown.count_from(read)

    def chunk(self, rows: int, read: float) -> Callable[[int], None]:
        """Return the function that takes the number of further scored rows of a chunk which ends at this share of the file."""
        begin, before, self._share = self._share, self._rows, read

        def advance(scored: int) -> None:
            self._rows += scored
            share = begin + (read - begin) * min(1.0, (self._rows - before) / rows)
            rate = self._rows / max(time.monotonic() - self._started, 1e-9)
            self._shown.update(share, f"{self._rows:,} rows, {rate:,.0f} rows/s")

        return advance


def chunks(items: Iterable[Row | BadRow], size: int) -> Iterator[list[Row | BadRow]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def score_chunks(scorer: PairScorer, task: ScoringTask, scores: PartialScores, report: ProgressReport, *, skip: bool) -> int:
    """Score the chunks that have no scores yet; returns how many rows had some."""
    finished = scores.finished_chunks()
    resumed_from_row = 0
    reader = task.reader()
    rows = iter(reader)
    for index, chunk in enumerate(chunks(rows, task.chunk_rows)):
        bad_rows = list(task.problems(chunk))
        if bad_rows and not skip:
            hint = f"{task.command} --on-bad-rows skip leaves them without a score and lists them in {task.bad_rows_file.name}"
            if kept := sum(len(scores.load(chunk)) for chunk in range(scores.finished_chunks())):
                hint += f"; the same command continues after the {kept:,} rows whose scores are kept in {task.partial_folder}"
            raise bad_rows_error(chain(bad_rows, task.problems(rows)), hint=hint)
        if index < finished:
            resumed_from_row += len(chunk)
            report.skip(reader.fraction_read)
        else:
            scorer.advance = report.chunk(len(chunk), reader.fraction_read)
            scores.save(index, *chunk_scores(scorer, task, chunk))
    return resumed_from_row


def chunk_scores(scorer: PairScorer, task: ScoringTask, chunk: list[Row | BadRow]) -> tuple[np.ndarray, list[str | None]]:
    """Return P(paraphrase) [rows] and what is beyond the training [rows], NaN and None for rows without two sentences.

    Raises RunError for what is no probability.
    """
    good = [(place, row) for place, row in enumerate(chunk) if isinstance(row, Row) and task.problem(row) is None]
    probabilities = np.full(len(chunk), np.nan)
    beyond: list[str | None] = [None] * len(chunk)
    if not good:
        return probabilities, beyond
    pairs = [pair_of(row, task.columns) for _, row in good]
    scored = np.asarray(scorer.score(pairs), dtype=np.float64)
    if scored.shape != (len(good),):
        raise RunError(f"the model gave scores of shape {scored.shape} for {len(good)} pairs")
    wrong = np.flatnonzero(~((scored >= 0) & (scored <= 1)))
    if len(wrong):
        line = good[wrong[0]][1].line
        raise RunError(
            f"the model gives {scored[wrong[0]]} as the probability of {task.source}:{line}",
            valid="probabilities lie between 0 and 1",
            hint="are the weights of this run intact?",
        )
    probabilities[[place for place, _ in good]] = scored
    for (place, _), text in zip(good, scorer.beyond_training(pairs), strict=True):
        beyond[place] = text
    return probabilities, beyond


def pair_of(row: Row, columns: tuple[str, str]) -> tuple[str, str]:
    first, second = (as_text(value_at(row.values, name)) for name in columns)
    return first, second


class Written(NamedTuple):
    rows: int
    scored: int
    paraphrases: int
    beyond: FlagCounts


def write_output(task: ScoringTask, scores: PartialScores, schema: pa.Schema, threshold: float) -> Written:
    """Read the input again, next to the scores, so that these are all that has to be kept while scoring."""
    rows = scored = paraphrases = 0
    counts = FlagCounts()
    with atomic_write(task.output, fsync=True) as unfinished:
        with open_writer(unfinished, task.output.suffix.lower(), schema) as write:
            for index, chunk in enumerate(chunks(task.reader(), task.chunk_rows)):
                probabilities, beyond = scores.load(index), scores.load_beyond(index)
                write(list(scored_rows(chunk, probabilities, beyond, threshold)))
                counts.add(beyond)
                rows += len(chunk)
                scored += int(np.isfinite(probabilities).sum())
                paraphrases += int((probabilities >= threshold).sum())
        if scored == rows:
            task.bad_rows_file.unlink(missing_ok=True)  # of an earlier output of this name
        else:
            with atomic_write(task.bad_rows_file, fsync=True) as listed:
                write_bad_rows(listed, task.problems(task.reader()))
    return Written(rows, scored, paraphrases, counts)


def scored_rows(
    chunk: list[Row | BadRow], probabilities: np.ndarray, beyond: list[str | None], threshold: float
) -> Iterator[dict[str, Any]]:
    for item, probability, text in zip(chunk, probabilities.tolist(), beyond, strict=True):
        if isinstance(item, Row):
            known = probability == probability  # NaN stands for a row without a score
            prediction = int(probability >= threshold) if known else None
            yield {**item.values, "probability": probability if known else None, "prediction": prediction, COLUMN: text}
