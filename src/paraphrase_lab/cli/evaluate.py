"""`paraphrase evaluate`: a run's model on one data set or several."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paraphrase_lab.cli.ensemble import evaluate_several
from paraphrase_lab.cli.request import add_to_path
from paraphrase_lab.cli.several_runs import are_labels_typed, is_run
from paraphrase_lab.cli.suite import evaluate_suite
from paraphrase_lab.configuration.composition import Request
from paraphrase_lab.configuration.quoting import expand_home
from paraphrase_lab.configuration.without_effect import places_of_data
from paraphrase_lab.errors import TrainingError, with_hint
from paraphrase_lab.paths import user_path, with_home
from paraphrase_lab.runs.record import run_directory
from paraphrase_lab.storage import require_writable

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from paraphrase_lab.evaluate import Evaluation

HELP = """The run's own saved configuration and weights; its calibration stays as fitted on its validation split.
`data=pairs data.path=FILE` evaluates on other data, read and encoded as the run's own (max_length, columns, labels,
on_bad_rows) unless typed; `data.max_length=64` changes one key.
Several runs are an ensemble: the mean of their probabilities, from the predictions that they have written; with
overrides each run scores those data first."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_intermixed_args(words)
    add_to_path()
    if any(map(is_run, arguments.overrides)):
        return evaluate_several(arguments, evaluations)
    if arguments.suite:
        return evaluate_suite(run_directory(arguments.run), arguments)
    return _evaluate(run_directory(arguments.run), arguments)


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "paraphrase evaluate", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=with_home, metavar="RUN", help="a run directory, or `latest`")
    further = "Hydra overrides of the run's configuration; or further runs, whose answers are averaged"
    parser.add_argument("overrides", nargs="*", type=expand_home, metavar="OVERRIDE|RUN", help=further)
    parser.add_argument(
        "--also",
        nargs="+",
        action="append",
        default=[],
        type=expand_home,
        metavar="OVERRIDE",
        help="one more data set; repeatable",
    )
    parser.add_argument(
        "--suite",
        metavar="NAME",
        help="score the data sets of a suite, both_ends or FILE.yaml, in one table; SET.data.path=DIR is for one set",
    )
    parser.add_argument("--split", choices=("train", "validation", "test"), help="default: test, or the only split there is")
    parser.add_argument(
        "--seen",
        choices=("refuse", "drop", "keep"),
        default="refuse",
        help="what to do with pairs of other data that the run has trained on, or chosen its checkpoint on: refuse (default), "
        "drop them, or keep them and call the scores seen_in_training",
    )
    parser.add_argument(
        "--output", type=user_path, metavar="DIR", help="where the evaluation is written; default: RUN/evaluations"
    )
    parser.add_argument("--precision", default="32", choices=("32", "auto", "bf16-mixed", "16-mixed"), help="default: 32")
    parser.add_argument("-cd", "--config-dir", type=with_home, help="a directory with configuration files of your own")
    return parser


def _also(overrides: list[str], also: list[str]) -> list[str]:
    """Join the overrides: the first ones hold for the other data sets too, except in a group that these choose anew."""
    chosen = {text.partition("=")[0] for text in also}
    return [*(text for text in overrides if text.lstrip("+~").partition("=")[0].partition(".")[0] not in chosen), *also]


def _evaluate(directory: Path, arguments: argparse.Namespace) -> int:
    requests = [arguments.overrides, *(_also(arguments.overrides, also) for also in arguments.also)]
    scored = evaluations(directory, requests, arguments)

    from rich.console import Console

    from paraphrase_lab.lifecycle.evaluation import print_metrics
    from paraphrase_lab.lifecycle.group_tables import print_groups
    from paraphrase_lab.runtime.next_commands import print_next

    console = Console()
    for done in scored:
        for note in done.notes:
            console.print(note, style="yellow", markup=False, soft_wrap=True)
        print_metrics(console, done.title, done.metrics, done.baselines)
        print_groups(console, f"{done.title}, group by group", done.groups)
        if done.unwritten:
            raise TrainingError(f"{done.unwritten}: the evaluation is not, or not wholly, in {done.directory}")
        console.print(f"predictions, metrics and plots: {done.directory}", markup=False, soft_wrap=True)
    place = shlex.quote(str(directory))
    print_next(
        f"paraphrase predict {place} --input FILE --output FILE",
        f"paraphrase compare {place} OTHER_RUN",
        f"paraphrase report {place}",
    )
    return 0


def evaluations(directory: Path, requests: Sequence[Sequence[str]], arguments: argparse.Namespace) -> Iterator[Evaluation]:
    """Check every request, the overrides those of one data set each, and return an iterator that scores them one by one."""
    from paraphrase_lab.check.saved_config import saved_config, with_overrides

    config = saved_config(directory)
    configs = [with_overrides(config, Request(tuple(overrides), arguments.config_dir)) for overrides in requests]
    places = arguments.output or directory / "evaluations"
    require_writable(places, hint="--output DIR writes the evaluation elsewhere")
    return _scored(directory, config, list(zip(configs, requests, strict=True)), places, arguments)


def _scored(
    directory: Path, config: DictConfig, wanted: list[tuple[DictConfig, Sequence[str]]], places: Path,
    arguments: argparse.Namespace,
) -> Iterator[Evaluation]:  # fmt: skip
    from omegaconf import OmegaConf

    from paraphrase_lab.check.saved_config import reading_hint
    from paraphrase_lab.evaluate import evaluate_run
    from paraphrase_lab.lifecycle.trained import load_run

    _, model = load_run(directory)
    options = {"split": arguments.split, "precision": arguments.precision, "seen": arguments.seen, "places": places}
    for changed, overrides in wanted:
        files = [
            user_path(file) for key in places_of_data(changed.data) if isinstance(file := OmegaConf.select(changed, key), str)
        ]
        with with_hint(reading_hint(config, changed, overrides), *files):
            done = evaluate_run(directory, changed, model, labels_are_typed=are_labels_typed(overrides), **options)
        yield done
