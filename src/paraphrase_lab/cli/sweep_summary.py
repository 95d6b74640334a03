"""The table at the end of a sweep, whoever brought its runs home."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def print_summary(sweep_dir: Path) -> None:
    """A line per job of the sweep, also when some failed."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from paraphrase_lab.remote.train import relative
    from paraphrase_lab.runs.record import find_runs

    if not sweep_dir.is_dir():
        return
    records = sorted(find_runs(sweep_dir), key=lambda record: (len(record.run_dir.name), record.run_dir.name))
    table = Table(title=escape(str(relative(sweep_dir.absolute()))), title_justify="left")
    costs = {record.run_dir: _cost(record.values.get("job") or {}) for record in records}
    for column in (
        "job",
        "overrides",
        "status",
        "best",
        "val/accuracy",
        "test/accuracy",
        *(["cost"] if any(costs.values()) else []),
    ):
        table.add_column(column)
    if not records:
        return
    words = {record.run_dir: _overrides(record.run_dir) for record in records}
    shared = set.intersection(*map(set, words.values())) if len(words) > 1 else set()
    for record in records:
        values = record.values
        best, metrics = values.get("best") or {}, values.get("metrics") or {}
        numbers = [best.get("value"), metrics.get("val/accuracy"), metrics.get("test/accuracy")]
        shown = ["" if number is None else f"{number:.4f}" for number in numbers]
        error = values.get("error") or record.status  # of an interrupted run it begins with that word
        status = error if error.startswith(record.status) else f"{record.status}: {error}"
        own = " ".join(word for word in words[record.run_dir] if word not in shared)
        cost = [costs[record.run_dir]] if any(costs.values()) else []
        table.add_row(record.run_dir.name, escape(own), escape(status), *shown, *cost)
    Console().print(table)
    if any(costs.values()):
        from paraphrase_lab.tracking.wandb_cost import tell_costs

        tell_costs(records)


def _cost(job: Mapping[str, Any]) -> str:
    """Of all attempts; nothing for a run of this machine."""
    usd = job.get("cost_of_all_attempts_usd")
    return "" if usd is None else "<$0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"


def _overrides(run_dir: Path) -> list[str]:
    file = run_dir / ".hydra" / "overrides.yaml"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.removeprefix("- ") for line in lines]
