"""`paraphrase evaluate RUN --suite NAME`: a run's model on several data sets, in one table."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paraphrase_lab.cli.several_runs import are_labels_typed
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.suite_files import overrides_of_sets, read_suite
from paraphrase_lab.errors import ConfigError, KnownError, UserError
from paraphrase_lab.metrics.names import SEEN
from paraphrase_lab.storage import require_writable

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

    from paraphrase_lab.lifecycle.suite_table import SuiteRow


def evaluate_suite(directory: Path, arguments: argparse.Namespace) -> int:
    """Score every set of the suite; return 2 where one could not be scored, after the others."""
    if arguments.also:
        raise UserError("--also adds a data set to a single one", hint="write a suite of your own: --suite FILE.yaml")
    sets = overrides_of_sets(read_suite(arguments.suite, arguments.config_dir), arguments.overrides)
    places = arguments.output or directory / "evaluations"
    require_writable(places, hint="--output DIR writes the evaluation elsewhere")

    from rich.console import Console

    from paraphrase_lab.lifecycle.suite_table import print_suite, write_suite
    from paraphrase_lab.runtime.next_commands import print_next

    console = Console()
    rows = _scored(console, directory, sets, arguments, places)
    title = f"{directory} on the suite {Path(arguments.suite).stem}"
    print_suite(console, title, rows)
    folder = places / "-".join(["suite", Path(arguments.suite).stem, *([arguments.split] if arguments.split else [])])
    write_suite(rows, folder, title)
    console.print(f"results.csv and results.png: {folder}", markup=False, soft_wrap=True)
    print_next(f"paraphrase compare {shlex.quote(str(directory))} OTHER_RUN")
    return 2 if any(row.refused for row in rows) else 0


def _scored(
    console: Console, directory: Path, sets: Mapping[str, Sequence[str]], arguments: argparse.Namespace, places: Path
) -> list[SuiteRow]:
    from paraphrase_lab.check.saved_config import saved_config, with_overrides
    from paraphrase_lab.evaluate import evaluate_run
    from paraphrase_lab.lifecycle.suite_table import SuiteRow
    from paraphrase_lab.lifecycle.trained import load_run

    config = saved_config(directory)
    _refuse_typed(config, sets, arguments)
    _, model = load_run(directory)
    options = {"split": arguments.split, "precision": arguments.precision, "seen": arguments.seen, "places": places}
    rows: list[SuiteRow] = []
    for name, overrides in sets.items():
        try:
            changed = with_overrides(config, Request(tuple(overrides), arguments.config_dir))
            done = evaluate_run(directory, changed, model, labels_are_typed=are_labels_typed(overrides), **options)
        except KnownError as error:
            rows.append(SuiteRow(name, refused=" ".join(str(error).split("\n"))))
            continue
        for note in done.notes:
            console.print(f"{name}: {note}", style="yellow", markup=False, soft_wrap=True)
        shown = f"{name} ({SEEN})" if SEEN in done.baselines else name
        metrics = {key.partition("/")[2]: value for key, value in done.metrics.items()}
        (trivial,) = done.baselines.values()
        rows.append(SuiteRow(shown, done.whole, metrics, trivial, done.directory))
    return rows


def _refuse_typed(config: DictConfig, sets: Mapping[str, Sequence[str]], arguments: argparse.Namespace) -> None:
    """Raise ConfigError where what was typed makes a set's configuration wrong that the suite's file alone does not."""
    from paraphrase_lab.check.saved_config import with_overrides

    def problems(overrides: Sequence[str]) -> list[str]:
        try:
            with_overrides(config, Request(tuple(overrides), arguments.config_dir))
        except ConfigError as error:
            return error.problems
        return []

    found = []
    for name, overrides in read_suite(arguments.suite, arguments.config_dir).items():
        if len(sets[name]) > len(overrides):
            known = problems(overrides)
            found += [f"{name}: {problem}" for problem in problems(sets[name]) if problem not in known]
    if found:
        raise ConfigError(found)
