"""`paraphrase evaluate RUN RUN …`: several runs as an ensemble."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from paraphrase_lab.cli.several_runs import ensemble_directories, is_run
from paraphrase_lab.errors import UserError
from paraphrase_lab.storage import require_writable

if TYPE_CHECKING:
    from paraphrase_lab.evaluate import Evaluation
    from paraphrase_lab.runs.predictions import Predictions

Score = Callable[[Path, Sequence[Sequence[str]], argparse.Namespace], "Iterator[Evaluation]"]
"""Scores a run on data sets, each by its overrides, with the options of the command."""


def evaluate_several(arguments: argparse.Namespace, score: Score) -> int:
    """Print the metrics of an ensemble; with --output they are also written, as ensemble.json."""
    overrides = [word for word in arguments.overrides if "=" in word and not is_run(word)]
    directories = ensemble_directories([arguments.run, *(word for word in arguments.overrides if word not in overrides)])
    if arguments.also or arguments.suite:
        raise UserError("an ensemble is evaluated on one data set at a time", hint="leave out --also and --suite")
    from rich.console import Console
    from rich.table import Table

    from paraphrase_lab.comparison.ensemble import evaluate_ensemble
    from paraphrase_lab.files import write_json

    console = Console()
    given = []
    for number, directory in enumerate(directories):
        options = {**vars(arguments), "output": arguments.output and arguments.output / str(number)}
        given.append(_predictions(directory, overrides, argparse.Namespace(**options), score))
    done = evaluate_ensemble(given)
    table = Table("metric", "ensemble", "mean of the runs", "lowest", "highest")
    for name, value in done.ensemble.items():
        values = [metrics[name] for metrics in done.runs]
        table.add_row(name, *(f"{one:.4f}" for one in (value, fmean(values), min(values), max(values))))
    title = f"{done.split}: the mean of the probabilities of {len(directories)} runs, on {done.pairs:,} pairs"
    console.print(title, style="bold", soft_wrap=True, markup=False, highlight=False)
    console.print(table)
    if arguments.output:
        require_writable(arguments.output, hint="--output names another directory")
        arguments.output.mkdir(parents=True, exist_ok=True)
        alone = {str(directory.absolute()): metrics for directory, metrics in zip(directories, done.runs, strict=True)}
        report = {"split": done.split, "pairs": done.pairs, "ensemble": done.ensemble, "runs": alone}
        write_json(arguments.output / "ensemble.json", report)
        console.print(f"metrics: {arguments.output / 'ensemble.json'}", markup=False, soft_wrap=True)
    return 0


def _predictions(directory: Path, overrides: list[str], arguments: argparse.Namespace, score: Score) -> Predictions:
    """Return what the run has written, or score it where other data, another precision or seen pairs are asked for."""
    from paraphrase_lab.runs.predictions import read_evaluation, read_predictions

    if not overrides and arguments.precision == "32" and arguments.seen == "refuse":
        return read_predictions(directory, arguments.split or "test")
    (done,) = score(directory, [overrides], arguments)
    return read_evaluation(directory, done.directory, next(iter(done.baselines)))
