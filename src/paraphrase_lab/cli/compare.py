"""`paraphrase compare`: which of these runs, or recipes, is better, on what, by how much and how sure."""

import argparse
import csv
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from paraphrase_lab.errors import RunError
from paraphrase_lab.files import json_text
from paraphrase_lab.paths import user_path, with_home
from paraphrase_lab.runs.differences import recipe_names, with_data
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.where import where
from paraphrase_lab.runtime.next_commands import print_next
from paraphrase_lab.statistics import EQUAL_WITHIN
from paraphrase_lab.storage import require_writable

HELP = """Compares runs that were evaluated on the same pairs, and says which question it
answers. Runs that differ only in the seed are one recipe.

  paraphrase compare runs/a runs/b    two models: do they differ on such pairs?
  paraphrase compare runs/sweep       recipes, where some have several seeds;
                                      three of each before it speaks of them
  paraphrase compare runs/sweep --baseline num_layers=2 --metric accuracy,nll

docs/comparing.md explains intervals and verdicts."""
Found = tuple[Any, str]
"""A run, and the place it was found in."""
COMPARED = ("test", "validation", "checklist_test", "checklist_dev")
SLICES_UNASKED_UP_TO = 3
"""Comparisons for which slices are computed and shown unasked."""


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_args(words)
    if arguments.plot:
        from paraphrase_lab.plots.formats import picture_format

        picture_format(arguments.plot)  # refused before anything is computed

    if arguments.plot:
        require_writable(arguments.plot.parent, hint="--plot names a file in another place")

    from paraphrase_lab.comparison.compare import SLICES_UP_TO, compare_runs

    wants_slices = arguments.slices or arguments.json or arguments.csv or arguments.plot  # which hold everything
    found, left_out = _finished(_found(arguments.places, arguments.where))
    comparison = compare_runs(
        [row for row, _ in found],
        split=arguments.split,
        metrics=tuple(dict.fromkeys(name.strip() for name in arguments.metric.split(","))),
        resamples=arguments.resamples,
        baseline=arguments.baseline,
        by_slice=arguments.slices is not False,
        slices_up_to=SLICES_UP_TO if wants_slices else SLICES_UNASKED_UP_TO,
        names=_names(found),
        equal_within=arguments.equal_within,
        each_metric=arguments.each_metric,
    )
    comparison = dataclasses.replace(comparison, notes=(*left_out, *comparison.notes))
    if arguments.plot:
        from paraphrase_lab.plots.comparison import plot_comparison

        plot_comparison(comparison, arguments.plot)
    if arguments.json:
        print(json_text(comparison.to_dict(), indent=2))
    elif arguments.csv:
        _write_csv(comparison)
    else:
        from paraphrase_lab.cli.comparison_tables import print_comparison

        versus = {(one.a, one.b) for one in comparison.differences}
        print_comparison(comparison, with_slices=arguments.slices or len(versus) <= SLICES_UNASKED_UP_TO)
        print_next(f"paraphrase report {shlex.join(arguments.places)}")
    return 0


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "paraphrase compare", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "places", nargs="+", type=with_home, metavar="RUN", help="a run, `latest`, or a directory with runs below it"
    )
    parser.add_argument(
        "--split", metavar="SPLIT",
        help=f"{', '.join(COMPARED)}, or of a mixture one source alone, as in test_paws; default: test where scored",
    )  # fmt: skip
    parser.add_argument("--metric", default="accuracy,f1", metavar="A,B", help="default: accuracy,f1; slices show the first")
    parser.add_argument("--baseline", metavar="NAME", help="compare the others with this one only; default: each with each")
    parser.add_argument("--where", metavar="CONDITION", help="only runs for which it holds, as in `paraphrase runs`")
    parser.add_argument(
        "--slices", action=argparse.BooleanOptionalAction, default=None, help="default: shown for up to 3 comparisons"
    )
    parser.add_argument(
        "--equal-within", type=_margin, default=EQUAL_WITHIN, metavar="M",
        help="differences below it count as equal, in the metric's own unit; default: 0.01, a point of accuracy",
    )  # fmt: skip
    parser.add_argument("--each-metric", action="store_true", help="count accuracy and F1 as two questions when correcting")
    parser.add_argument("--resamples", type=_resamples, default=10_000, metavar="N", help="default: 10000")
    parser.add_argument("--plot", type=user_path, metavar="FILE", help="also draw the differences: .png, .pdf or .svg")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="everything, for a program")
    form.add_argument("--csv", action="store_true", help="one row per difference, for a spreadsheet")
    return parser


def _resamples(text: str) -> int:
    if not text.isdigit() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 100 or more")
    return int(text)


def _margin(text: str) -> float:
    try:
        margin = float(text)
    except ValueError:
        margin = 0.0
    if not 0 < margin < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number between 0 and 1, such as 0.005 for half a point of accuracy"
        )
    return margin


def chosen_runs(places: list[str], condition: str | None) -> tuple[list[Any], list[str] | None]:
    """Return the runs in the order of the places, each once; and their names, if the places decide them."""
    found = _found(places, condition)
    return [row for row, _ in found], _names(found)


def _found(places: list[str], condition: str | None) -> list[Found]:
    found: dict[str, Found] = {}
    for place in places:
        for row in read_runs([place]):
            found.setdefault(row.identity, (row, place))
    if not condition or not found:
        return list(found.values())
    rows = [row for row, _ in found.values()]
    kept = {id(row) for row in where(condition, rows, Fields(rows))}
    return [(row, place) for row, place in found.values() if id(row) in kept]


def _finished(found: list[Found]) -> tuple[list[Found], list[str]]:
    """Leave out the unfinished runs of directories, with notes about them; a run that was named itself stays.

    Raises:
        RunError: all but one have to be left out.
    """
    from paraphrase_lab.comparison.candidates import without_unfinished

    of_directories = [row for row, place in found if row.path != Path(place)]
    finished, notes = without_unfinished(of_directories)
    dropped = {id(row) for row in of_directories} - {id(row) for row in finished}
    kept = [(row, place) for row, place in found if id(row) not in dropped]
    if notes and len(kept) < 2:
        problem = f"a comparison needs two finished runs at least, found {f'only {kept[0][0].path}' if kept else 'none'}"
        raise RunError(problem, valid="\n".join(notes), hint="`paraphrase train … resume=RUN` continues a run")
    return kept, notes


def _names(found: list[Found]) -> list[str] | None:
    """Name each run by its place if all are one recipe; by place and recipe if several places trained the same recipe and
    seed with other data or code. None: the recipe alone decides."""
    rows, places = [row for row, _ in found], [place for _, place in found]
    recipes = recipe_names(rows, apart_by_data=False)
    if len(set(recipes)) == 1:
        return with_data(places, rows) if 1 < len(set(places)) < len(found) else None
    fingerprints: dict[tuple[str, tuple[int, int]], dict[str, Any]] = {}
    for recipe, (row, place) in zip(recipes, found, strict=True):
        fingerprints.setdefault((recipe, row.repetition), {}).setdefault(place, row.record.get("fingerprint"))
    if any(len(set(of_places.values())) > 1 for of_places in fingerprints.values()):
        return with_data([f"{place} {recipe}" for place, recipe in zip(places, recipes, strict=True)], rows)
    return None


def _write_csv(comparison: Any) -> None:
    columns = [field.name for field in dataclasses.fields(type(comparison.differences[0]))] if comparison.differences else []
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["question", "split", "fingerprint", *columns])
    for one in comparison.to_dict()["differences"]:
        writer.writerow([comparison.question, comparison.split, comparison.fingerprint, *(one[name] for name in columns)])
