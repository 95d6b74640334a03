"""`paraphrase data`: describes a data set as `paraphrase train` would see it."""

from __future__ import annotations

from pathlib import Path

from paraphrase_lab.cli.request import add_to_path, check_jobs, checked, parse_request
from paraphrase_lab.errors import UserError


def run(words: list[str]) -> int:
    request = parse_request(words, "data")
    add_to_path()
    result = checked(request)
    if len(result.jobs) > 1:
        raise UserError("paraphrase data describes one data set at a time, not a sweep")
    check_jobs(result, training=False)

    from rich.console import Console

    from paraphrase_lab.data.statistics import describe_tables
    from paraphrase_lab.describe import describe_data

    config = result.jobs[0].config
    name = result.hydra.runtime.choices.get("data", "data")
    done = describe_data(config, Path("data-report") / name)
    console = Console()
    for table in describe_tables(done.report):
        console.print(table)
    for note in done.notes:
        console.print(note, style="yellow", markup=False, soft_wrap=True)
    console.print(f"report.json and data.png: {done.directory}", markup=False, soft_wrap=True)
    return 0
