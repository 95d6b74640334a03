"""`paraphrase predict`: two sentences on the screen, or a file of pairs into another file."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraphrase_lab.cli.request import add_to_path
from paraphrase_lab.cli.several_runs import ensemble_directories, runs_and_sentences
from paraphrase_lab.data.options import DELIMITERS, FORMAT_NAMES, QUOTING, READING, ReadOptions, kept_hint, kept_quoting
from paraphrase_lab.data.rows import is_blank
from paraphrase_lab.errors import UserError, with_hint
from paraphrase_lab.paths import user_path, with_home

if TYPE_CHECKING:
    from paraphrase_lab.predict import EnsembleScorer, RunScorer

HELP = """Scores pairs with a run's model: the probability of a paraphrase, and 1 where it reaches the run's threshold, else 0.
Several runs are an ensemble: the mean of their calibrated probabilities. Their models need not be alike.
Files: csv, tsv, jsonl, parquet, json, arrow, or - for a pipe. Killed in the middle, the same command continues."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_intermixed_args(words)
    from_file = arguments.input is not None or arguments.output is not None
    runs, sentences = runs_and_sentences(arguments, from_file=from_file)
    if from_file == bool(sentences) or (from_file and not (arguments.input and arguments.output)):
        raise UserError("nothing to score", valid='paraphrase predict RUN "A" "B", or --input FILE --output FILE')
    for number, sentence in enumerate(sentences, start=1):
        if is_blank(sentence):
            raise UserError(f"sentence {number} is empty", valid="every sentence has at least one word")
    add_to_path()
    directories = ensemble_directories(runs)
    typed = shlex.join(["paraphrase", "predict", *words])
    return _score_file(directories, arguments, typed) if from_file else _score_sentences(directories, sentences, arguments)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "paraphrase predict", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=with_home, metavar="RUN", help="a run directory, or `latest`")
    parser.add_argument("words", nargs="*", metavar="RUN|SENTENCE", help="further runs, whose answers are averaged; then pairs")
    parser.add_argument("--pairs", nargs="+", metavar="SENTENCE", help="pairs of sentences; all words before are runs")
    parser.add_argument("--input", type=user_path, metavar="FILE", help="- reads a pipe")
    parser.add_argument("--output", type=user_path, metavar="FILE", help="- writes to a pipe, in the format of the input")
    columns = "of the input file (default: those of the run, else sentence1 sentence2)"
    parser.add_argument("--columns", nargs=2, metavar=("A", "B"), help=columns)
    _add_read_options(parser)
    parser.add_argument("--on-bad-rows", choices=("error", "skip"), default="error", help="default: error")
    parser.add_argument("--overwrite", action="store_true", help="an existing output, or an unfinished one of other settings")
    parser.add_argument("--precision", default="32", choices=("32", "auto", "bf16-mixed", "16-mixed"), help="default: 32")
    parser.add_argument("--batch-tokens", type=int, default=16_384, help="tokens of a batch (default: 16384)")
    parser.add_argument("--chunk-rows", type=int, default=10_000, help="rows held in memory at a time (default: 10000)")
    return parser


def _add_read_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMAT_NAMES, help="of the input (default: by its ending, else as of the run)")
    parser.add_argument(
        "--delimiter", metavar="SIGN", help=f"one character, or {', '.join(DELIMITERS)} (default: as of the run)"
    )
    parser.add_argument(
        "--quoting", choices=QUOTING, help='auto: none in tsv, standard ("a ""b""") in csv (default: the run\'s)'
    )
    parser.add_argument("--encoding", metavar="NAME", help="default: as of the run, else utf-8")
    header = "names of the columns of a file without a header (default: as of the run); '': it has one"
    parser.add_argument("--header", metavar="A,B,…", help=header)


def _read_options(data: Mapping[Any, Any], arguments: argparse.Namespace) -> ReadOptions:
    """Return the typed options, else those of the run's data, which may be a source that knows nothing of files."""
    from paraphrase_lab.data.formats import named_format

    own = {name: data[name] for name in READING} if set(READING) <= set(data) else {}
    if named_format(arguments.input):
        own.pop("format", None)
    own["quoting"] = kept_quoting(str(own.get("quoting", "auto")))
    own["columns"] = tuple(map(str, own.get("columns") or ()))
    given = {name: getattr(arguments, name) for name in READING if name != "columns"}
    if arguments.header is not None:
        given["columns"] = tuple(filter(None, arguments.header.split(",")))
    return ReadOptions(**{**own, **{name: value for name, value in given.items() if value is not None}}, flags=True)


def _kept_hint(options: ReadOptions, arguments: argparse.Namespace) -> str:
    typed = {**vars(arguments), "columns": arguments.header}
    return kept_hint(options, [name for name in READING if typed[name] is not None])


def _columns(
    data: Mapping[Any, Any], arguments: argparse.Namespace, source: Path, options: ReadOptions
) -> tuple[tuple[str, str], ReadOptions]:
    """Return the columns that were typed, else those of the run where the file has them; the options for its header.

    Where the run's file had no header, a file that has one with these columns is read by it.
    """
    from paraphrase_lab.data.files import column_names

    names = (str(data.get("sentence1", "sentence1")), str(data.get("sentence2", "sentence2")))
    candidates = [tuple(arguments.columns)] if arguments.columns else [names, ("sentence1", "sentence2")]
    if options.columns and arguments.header is None:
        plain = replace(options, columns=())
        with suppress(UserError):  # the first pair of a file without a header may be no header at all
            present = set(column_names(source, plain))
            options = plain if any(set(one) <= present for one in candidates) else options
    with with_hint(_kept_hint(options, arguments), source):
        present = column_names(source, options, candidates[0])
    return next((one for one in candidates if set(one) <= set(present)), candidates[-1]), options


def _scorer(directories: list[Path], arguments: argparse.Namespace) -> RunScorer | EnsembleScorer:
    from paraphrase_lab.lifecycle.trained import load_run
    from paraphrase_lab.predict import EnsembleScorer, RunScorer, fit_into_memory
    from paraphrase_lab.runtime.hardware import resolve_precision, this_machine

    precision, _ = resolve_precision(arguments.precision, this_machine())

    def load(directory: Path) -> RunScorer:
        return RunScorer(directory, load_run(directory)[1], precision=precision, batch_tokens=arguments.batch_tokens)

    if len(directories) == 1:
        return load(directories[0])
    return EnsembleScorer([partial(load, one) for one in directories], keep_models=fit_into_memory(directories))


def _score_sentences(directories: list[Path], sentences: list[str], arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from paraphrase_lab.data.beyond_training import COLUMN, FlagCounts

    scorer = _scorer(directories, arguments)
    pairs = list(zip(sentences[::2], sentences[1::2], strict=True))
    probabilities, beyond = scorer.score(pairs), scorer.beyond_training(pairs)
    counts = FlagCounts()
    counts.add(beyond)
    table = Table("first", "second", "P(paraphrase)", "answer", *([COLUMN] if counts.flagged else []))
    for (first, second), probability, text in zip(pairs, probabilities, beyond, strict=True):
        answer = "paraphrase" if probability >= scorer.threshold else "different"
        table.add_row(Text(first), Text(second), f"{probability:.4f}", answer, *([Text(text)] if counts.flagged else []))
    console = Console()
    console.print(table)
    for line in filter(None, (counts.line(), *_not_on_record(scorer))):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _not_on_record(scorer: RunScorer | EnsembleScorer) -> list[str]:
    told = "does not say which words, scripts and lengths it was trained on: pairs beyond them are not marked"
    return [f"{directory} {told}" for directory in scorer.without_record]


def _score_file(directories: list[Path], arguments: argparse.Namespace, typed: str) -> int:
    from rich.console import Console

    from paraphrase_lab.check.saved_config import saved_config
    from paraphrase_lab.data.columns import require_columns
    from paraphrase_lab.data.opening import is_pipe
    from paraphrase_lab.scoring.pipes import files_for
    from paraphrase_lab.scoring.stream import score_file

    console = Console(stderr=True)
    data = saved_config(directories[0]).data
    options, piped = _read_options(data, arguments), is_pipe(arguments.output)
    with ExitStack() as stack:
        source, output = stack.enter_context(files_for(arguments.input, arguments.output, options))
        columns, options = _columns(data, arguments, source, options)
        stack.enter_context(with_hint(_kept_hint(options, arguments), source))
        require_columns(source, columns, options)
        scorer = _scorer(directories, arguments)
        done = score_file(
            scorer,
            source,
            output,
            columns=columns,
            chunk_rows=arguments.chunk_rows,
            on_bad_rows=arguments.on_bad_rows,
            overwrite=arguments.overwrite,
            options=options,
            typed=typed,
            named=arguments.input,
        )
        if done.bad_rows and piped:
            listed = output.with_name(f"{output.name}.bad_rows.csv").read_text(encoding="utf-8")
            console.print(listed, markup=False, highlight=False, soft_wrap=True)
    rate = (done.rows - done.resumed_from_row) / max(done.seconds, 1e-9)
    lines = [f"{arguments.output}: {done.rows:,} rows in {done.seconds:.1f} s ({rate:,.0f} rows/s)"]
    if done.resumed_from_row:
        lines.append(f"{done.resumed_from_row:,} of them had been scored before the interruption")
    if done.paraphrase_share is not None:
        lines.append(f"{done.paraphrase_share:.1%} paraphrases")
    if done.bad_rows:
        where = "above" if piped else f"see {done.output}.bad_rows.csv"
        lines.append(f"{done.bad_rows:,} rows could not be scored: {where}")
    told = console if piped else Console()
    for line in filter(None, ("; ".join(lines), done.beyond_training, *_not_on_record(scorer))):
        told.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0
