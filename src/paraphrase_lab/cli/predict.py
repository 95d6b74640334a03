"""`paraphrase predict`: two sentences on the screen, or a file of pairs into another file."""

import argparse
from pathlib import Path

from paraphrase_lab.cli.request import add_to_path
from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import user_path, with_home
from paraphrase_lab.runs.record import run_directory

HELP = """Scores pairs with a run's model: the probability of a paraphrase, and 1 where it reaches 0.5, else 0.
Files: csv, tsv (unquoted), jsonl, parquet; in and out, in any combination. Killed in the middle, the same command continues."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_intermixed_args(words)
    from_file = arguments.input is not None or arguments.output is not None
    if from_file == bool(arguments.sentences) or (from_file and not (arguments.input and arguments.output)):
        raise UserError("nothing to score", valid='paraphrase predict RUN "A" "B", or --input FILE --output FILE')
    if arguments.sentences and len(arguments.sentences) % 2:
        raise UserError(
            f"give an even number of sentences: got {len(arguments.sentences)}",
            valid='paraphrase predict RUN "A" "B" ["A" "B" …]',
        )
    add_to_path()
    directory = run_directory(arguments.run)
    return _score_file(directory, arguments) if from_file else _score_sentences(directory, arguments)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "paraphrase predict", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=with_home, metavar="RUN", help="a run directory, or `latest`")
    parser.add_argument("sentences", nargs="*", metavar="SENTENCE", help="pairs of sentences")
    parser.add_argument("--input", type=user_path, metavar="FILE")
    parser.add_argument("--output", type=user_path, metavar="FILE")
    parser.add_argument("--columns", nargs=2, default=("sentence1", "sentence2"), metavar=("A", "B"), help="of the input file")
    parser.add_argument("--on-bad-rows", choices=("error", "skip"), default="error", help="default: error")
    parser.add_argument("--overwrite", action="store_true", help="an existing output, or an unfinished one of other settings")
    parser.add_argument("--precision", default="32", choices=("32", "auto", "bf16-mixed", "16-mixed"), help="default: 32")
    parser.add_argument("--batch-tokens", type=int, default=16_384, help="tokens of a batch (default: 16384)")
    parser.add_argument("--chunk-rows", type=int, default=10_000, help="rows held in memory at a time (default: 10000)")
    return parser


def _scorer(directory: Path, arguments: argparse.Namespace):  # noqa: ANN202  # its module imports torch
    from paraphrase_lab.lifecycle.trained import load_run
    from paraphrase_lab.predict import RunScorer
    from paraphrase_lab.runtime.hardware import resolve_precision, this_machine

    precision, _ = resolve_precision(arguments.precision, this_machine())
    _, model = load_run(directory)
    return RunScorer(directory, model, precision=precision, batch_tokens=arguments.batch_tokens)


def _score_sentences(directory: Path, arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    scorer = _scorer(directory, arguments)
    pairs = list(zip(arguments.sentences[::2], arguments.sentences[1::2], strict=True))
    table = Table("first", "second", "P(paraphrase)", "answer")
    for (first, second), probability in zip(pairs, scorer.score(pairs), strict=True):
        answer = "paraphrase" if probability >= scorer.threshold else "different"
        table.add_row(Text(first), Text(second), f"{probability:.4f}", answer)
    Console().print(table)
    return 0


def _score_file(directory: Path, arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from paraphrase_lab.scoring.stream import score_file

    scorer = _scorer(directory, arguments)
    done = score_file(
        scorer,
        arguments.input,
        arguments.output,
        columns=tuple(arguments.columns),
        chunk_rows=arguments.chunk_rows,
        on_bad_rows=arguments.on_bad_rows,
        overwrite=arguments.overwrite,
    )
    rate = (done.rows - done.resumed_from_row) / max(done.seconds, 1e-9)
    lines = [f"{done.output}: {done.rows:,} rows in {done.seconds:.1f} s ({rate:,.0f} rows/s)"]
    if done.resumed_from_row:
        lines.append(f"{done.resumed_from_row:,} of them had been scored before the interruption")
    if done.paraphrase_share is not None:
        lines.append(f"{done.paraphrase_share:.1%} paraphrases")
    if done.bad_rows:
        lines.append(f"{done.bad_rows:,} rows could not be scored: see {done.output}.bad_rows.csv")
    if scorer.truncated:
        lines.append(f"{scorer.truncated:,} pairs were longer than {scorer.model.max_length} tokens and were truncated")
    Console().print("; ".join(lines), markup=False, soft_wrap=True)
    return 0
