"""`paraphrase data`: describes a data set as `paraphrase train` would see it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.errors import UserError
from paraphrase_lab.files import write_json
from paraphrase_lab.runtime.next_commands import print_next

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(words: list[str]) -> int:
    request = parse_request(words, "data")
    add_to_path()
    result = checked(request)
    if len(result.jobs) > 1:
        raise UserError("paraphrase data describes one data set at a time, not a sweep")
    check_jobs(result, training=False)

    from rich.console import Console

    from paraphrase_lab.data.description import describe_tables

    directory = Path("data-report") / result.hydra.runtime.choices.get("data", "data")
    report, notes = describe_data(result.jobs[0].config, directory)
    console = Console()
    for table in describe_tables(report):
        console.print(table)
    for note in notes:
        console.print(note, style="yellow", markup=False, soft_wrap=True)
    console.print(f"report.json and data.png: {directory}", markup=False, soft_wrap=True)
    print_next(f"paraphrase train {shlex.join(words)}".rstrip())
    return 0


def describe_data(config: DictConfig, directory: Path) -> tuple[dict[str, Any], list[str]]:
    """Write report.json and data.png, and bad_rows.csv where rows were skipped; return the report, and notes about the data."""
    from paraphrase_lab import build

    tables = build.build_tables(config)  # what is wrong with a file is said before the tokenizer's libraries are imported

    from paraphrase_lab.data.description import SplitPairs, describe
    from paraphrase_lab.data.encoding import encode
    from paraphrase_lab.data.rows import list_bad_rows
    from paraphrase_lab.paths import cache_dir
    from paraphrase_lab.plots import plot_data
    from paraphrase_lab.runtime.third_party import quiet_libraries

    quiet_libraries()
    tokenizer = build.build_tokenizer(build.build_recipe(config), tables)
    max_length = config.data.max_length
    splits = {}
    for name, table in tables.splits.items():
        encoded = encode(table, tokenizer, max_length, cache=cache_dir(), name=name)
        splits[name] = SplitPairs(table.sentence1, table.sentence2, table.labels, encoded.full_lengths)
    report = describe(splits, max_length)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "report.json", report)
    plot_data(report, directory / "data.png")
    notes = list(tables.notes)
    if tables.bad_rows:
        notes.append(list_bad_rows(directory, tables.bad_rows))
    return report, notes
