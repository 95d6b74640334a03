"""`paraphrase runs`: the runs of directories, S3 and W&B in one table, selected and sorted."""

import argparse
import csv
import sys
from collections.abc import Sequence
from typing import Any

from paraphrase_lab.files import json_text
from paraphrase_lab.paths import RUNS_DIR, with_home
from paraphrase_lab.runs.differences import differing_keys
from paraphrase_lab.runs.fields import Fields
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.short import shown
from paraphrase_lab.runs.where import where

HELP = """Lists runs with the configuration keys that distinguish them, their status and their metrics.

  paraphrase runs                                          all runs below runs/, the newest sweep first
  paraphrase runs --where 'model=tiny and test/f1>0.9'     = != > >= < <= and ~ (contains); and, or, not, ( )
  paraphrase runs --sort -test/f1 --limit 10               the ten best; without the minus the lowest come first
  paraphrase runs s3://bucket/runs wandb:entity/project    runs in S3 and in W&B

A key is a metric (test/f1), a configuration key (model.num_layers), a group (model) or status, started, seconds, cost, name,
error, commit; the ending of a key is enough where it means no other."""
ERRORS_SHOWN = 3


def run(words: list[str]) -> int:
    arguments = arguments_parser().parse_args(_with_minus(words))
    places = arguments.places or [str(RUNS_DIR)]

    everything = read_runs(places)
    fields = Fields(everything)
    rows, sort = everything, None
    if everything and arguments.where:
        rows = where(arguments.where, rows, fields)
    if everything and arguments.sort:
        sort = fields.find(arguments.sort.removeprefix("-"))
        rows = sorted_rows(rows, sort, descending=arguments.sort.startswith("-"))
    rows = rows[: arguments.limit]
    if arguments.json:
        print(json_text([_whole(row) for row in rows], indent=2))
    elif arguments.csv:
        _write_csv(rows, fields)
    else:
        _print(rows, len(everything), places, fields, sort)
    return 0


def sorted_rows(rows: Sequence[Any], name: str, *, descending: bool) -> list[Any]:
    """Sort numbers before texts, and rows without the value last, in both directions."""
    values = [(Fields.value(row, name), row) for row in rows]
    numbers = [(value, row) for value, row in values if isinstance(value, int | float)]
    texts = [(shown(value), row) for value, row in values if value is not None and not isinstance(value, int | float)]
    known = [sorted(some, key=lambda one: one[0], reverse=descending) for some in (numbers, texts)]
    return [row for some in known for _, row in some] + [row for value, row in values if value is None]


def arguments_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("paraphrase runs", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "places",
        nargs="*",
        type=with_home,
        metavar="PLACE",
        help="a directory, a run, `latest`, s3://…, wandb:…; default: runs",
    )
    parser.add_argument("--where", metavar="CONDITION", help="only runs for which it holds")
    parser.add_argument("--sort", metavar="KEY", help="by a key, ascending; -KEY: descending")
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="all differing keys and all metrics, for a spreadsheet")
    form.add_argument("--json", action="store_true", help="everything, for a program")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


def _with_minus(words: list[str]) -> list[str]:
    """Join --sort with its key, since argparse takes -test/f1 for an option."""
    joined, rest = [], iter(words)
    for word in rest:
        key = next(rest, None) if word == "--sort" else None
        joined.append(word if key is None else f"--sort={key}")
    return joined


def _whole(row: Any) -> dict[str, Any]:
    return {
        "path": str(row.path), "name": row.name, "status": row.status, "started": row.started or None,
        "error": row.record.get("error"), "cost_usd": row.cost_usd, "seconds": row.record.get("seconds"),
        "commit": (row.record.get("git") or {}).get("commit"), "fingerprint": row.record.get("fingerprint"),
        "metrics": row.metrics, "config": row.config,
    }  # fmt: skip


def _write_csv(rows: Sequence[Any], fields: Any) -> None:
    columns = ["path", "name", "status", "started", "seconds", "cost", *differing_keys(rows), *fields.metrics]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow("" if (value := fields.value(row, name)) is None else shown(value) for name in columns)


def _print(rows: Sequence[Any], of: int, places: Sequence[str], fields: Any, sort: str | None) -> None:
    from rich.console import Console

    from paraphrase_lab.runs.table import runs_table

    console = Console(markup=False, highlight=False)
    where = ", ".join(places)
    if not of:
        return console.print(f"no runs below {where}: `paraphrase train` makes one", soft_wrap=True)
    if not rows:
        return console.print(f"none of the {of:,} runs below {where} fits", soft_wrap=True)
    table, hidden = runs_table(rows, fields, console.width, sort=sort)
    console.print(table)
    count = f"{len(rows):,} run{'s' if of > 1 else ''}" if len(rows) == of else f"{len(rows):,} of {of:,} runs"
    notes = [f"{count} below {where}"]
    if hidden:
        notes.append(f"no room for {', '.join(hidden)}: --csv has all")
    failed = [row for row in rows if row.record.get("error")]
    notes += [f"{row.name} {row.status}: {row.record['error']}" for row in failed[:ERRORS_SHOWN]]
    if len(failed) > ERRORS_SHOWN:
        notes.append(f"{len(failed) - ERRORS_SHOWN:,} more with errors: --where 'error!=null' --json has them")
    for note in notes:
        console.print(note, style="dim", soft_wrap=True)
