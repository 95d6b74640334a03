"""`paraphrase report`: a report about runs, as one HTML file, as text for a README, or in W&B."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paraphrase_lab.errors import UserError
from paraphrase_lab.paths import as_typed, with_home
from paraphrase_lab.runs.record import LATEST, run_directory

HELP = """Writes a report about some runs: verdicts, tables, curves, slices, calibration,
hardest pairs, settings, versions.

  paraphrase report                            the newest run, or the sweep it belongs to
  paraphrase report runs/sweep                 one HTML file that needs no network: runs/sweep/report.html
  paraphrase report runs/a runs/b --output ab.html
  paraphrase report runs/sweep --to markdown   the sentences and tables, to the screen
  paraphrase report runs/sweep --to wandb      a report and a workspace in W&B, of runs that are uploaded

docs/comparing.md explains intervals and verdicts."""
FORMS = ("html", "markdown", "wandb")
SCREEN = "-"
FILE, FILE_OF_SEVERAL = "report.html", "paraphrase-report.html"


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_args(words)
    form = arguments.to or ("markdown" if arguments.output.endswith(".md") else "html")
    if form == "wandb" and arguments.output:
        raise UserError("--to wandb writes no file", hint="--output goes with --to html and --to markdown")
    if form != "wandb" and arguments.project:
        raise UserError("--project is a project in W&B", hint="it goes with --to wandb")
    places = arguments.places or [_newest()]

    from paraphrase_lab.cli.compare import chosen_runs
    from paraphrase_lab.report import gather, render

    rows, names = chosen_runs(places, arguments.where)
    if len(places) > 1:
        rows = [replace(row, name=str(row.path)) for row in rows]
    title = arguments.title or ", ".join(place.rstrip("/") for place in places)
    metrics = tuple(arguments.metric.split(",")) if arguments.metric else ()
    material = gather(rows, title=title, split=arguments.split, metrics=metrics, baseline=arguments.baseline, names=names)
    if form == "wandb":
        _publish(material, arguments)
    else:
        _write(render(material, form), arguments.output or (SCREEN if form == "markdown" else str(_beside(places))))
    return 0


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "paraphrase report", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "places",
        nargs="*",
        type=with_home,
        metavar="PLACE",
        help="a run, `latest`, a directory with runs below it, s3://…, wandb:…",
    )
    parser.add_argument("--to", choices=FORMS, help="default: html; markdown for an --output that ends in .md")
    parser.add_argument(
        "--output",
        default="",
        type=with_home,
        metavar="FILE",
        help=f"- is the screen; default: {FILE} in the place, markdown to the screen",
    )
    parser.add_argument("--split", choices=("test", "validation"), help="default: test, if one of the runs has scored it")
    parser.add_argument("--metric", metavar="A,B", help="default: accuracy,f1; the report is about the first one")
    parser.add_argument("--baseline", metavar="NAME", help="compare the others with this recipe only")
    parser.add_argument("--where", metavar="CONDITION", help="only runs for which it holds, as in `paraphrase runs`")
    parser.add_argument("--title", help="default: the place; in W&B the sweep. A W&B report of that title is updated")
    parser.add_argument("--project", metavar="[ENTITY/]PROJECT", help="in W&B; default: where the runs say they were recorded")
    return parser


def _newest() -> str:
    from paraphrase_lab.tracking.wandb_directories import sweep_of

    run_dir = run_directory(LATEST)
    return str(as_typed(sweep_of(run_dir) or run_dir))


def _beside(places: Sequence[str]) -> Path:
    """Return a file in the one directory that holds the runs; else in the working directory."""
    if len(places) > 1:
        return Path(FILE_OF_SEVERAL)
    place = run_directory(LATEST) if places[0] == LATEST else Path(places[0])
    return place / FILE if place.is_dir() else Path(FILE_OF_SEVERAL)


def _write(text: str, output: str) -> None:
    if output == SCREEN:
        sys.stdout.write(text)
        return
    file = Path(output)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}", hint="--output names another file") from None
    print(file)


def _publish(material: Any, arguments: argparse.Namespace) -> None:
    from paraphrase_lab.tracking.wandb_report import publish

    if find_spec("wandb_workspaces") is None:
        raise UserError("--to wandb needs wandb-workspaces, which is not installed", hint="pip install wandb-workspaces")
    entity, _, project = (arguments.project or "").rpartition("/")
    report, workspace = publish(
        material.rows,
        material.comparison,
        project=project or None,
        entity=entity or None,
        title=arguments.title,
        metric=material.metric if arguments.metric else None,
    )
    if material.comparison is None:
        print(f"without statistics: {material.why_not}")
    print(f"report     {report}\nworkspace  {workspace}")
