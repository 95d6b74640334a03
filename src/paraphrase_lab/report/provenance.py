"""The settings that differ, and the provenance of each run: versions, commits, data, time and cost."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from paraphrase_lab.report.blocks import Block, Cell, Table, Text, listed, number
from paraphrase_lab.report.material import Material
from paraphrase_lab.runs.differences import differing_keys
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.runs.short import shown

RUNS_NAMED = 4


def settings(material: Material) -> list[Block]:
    """List every key that differs, its values and the runs that have them; then all that is the same."""
    blocks: list[Block] = [Text("All runs have the same settings." if len(material.rows) > 1 else "There is one run only.")]
    if keys := differing_keys(material.rows):
        rows = []
        for key in keys:
            having = _by_value((row.name, shown(row.config[key]) if key in row.config else "(absent)") for row in material.rows)
            rows += [[Cell(key), Cell(value), Cell(f"{len(of)}: {listed(of, RUNS_NAMED)}")] for value, of in having.items()]
        blocks = [Table(("key", "value", "runs"), rows, "What differs", folded=len(rows) > 40)]
    configs = [row.config for row in material.rows if row.config]
    first = configs[0] if configs else {}
    shared = {key: value for key, value in first.items() if all(config.get(key) == value for config in configs)}
    same = [[Cell(key), Cell(shown(value))] for key, value in shared.items() if value is not None]
    if same:
        blocks.append(Table(("key", "value"), same, "What all runs share", folded=True))
    return blocks


def _by_value(values: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Collect the runs that have the same value, from (run, value)."""
    having: dict[str, list[str]] = {}
    for run, value in values:
        having.setdefault(value, []).append(run)
    return having


def provenance(material: Material) -> list[Block]:
    rows = material.rows
    versions = _shared("Versions", rows, lambda row: row.record.get("versions") or {})
    data = _shared("Data (the first 8 characters of the fingerprint)", rows, _data)
    return [*versions, *data, _run_table(rows)]


def _data(row: RunRow) -> dict[str, str]:
    splits: dict[str, Any] = row.record.get("data") or {}
    known = {split: facts for split, facts in splits.items() if isinstance(facts, dict)}
    return {split: f"{facts['pairs']:,} pairs · {facts['fingerprint'][:8]}" for split, facts in known.items()}


def _shared(caption: str, rows: Sequence[RunRow], facts: Callable[[RunRow], dict[str, Any]]) -> list[Block]:
    """Make a row per name; where the runs differ, each value stands with the runs that have it."""
    known = [(row.name, facts(row)) for row in rows if facts(row)]
    names = dict.fromkeys(name for _, of in known for name in of)
    cells = []
    for name in names:
        having = _by_value((run, str(of.get(name, "none"))) for run, of in known)
        same = len(having) == 1
        by_run = [f"{value} ({listed(runs, RUNS_NAMED)})" for value, runs in having.items()]
        cells.append([Cell(name), Cell(next(iter(having)) if same else "; ".join(by_run), strong=not same)])
    return [Table(("", "in all runs, or by run"), cells, caption, folded=len(cells) > 4)] if cells else []


def _run_table(rows: Sequence[RunRow]) -> Table:
    costs = any(row.cost_usd is not None for row in rows)
    columns = ("run", "started (UTC)", "commit", "device", "precision", "training s", "in all s")
    cells = []
    for row in rows:
        seconds, precision = row.record.get("seconds") or {}, row.record.get("precision") or {}
        device = row.record.get("device") or {}
        name, count = device.get("name", ""), device.get("count", 1)
        cells.append([
            Cell(row.name), Cell(row.started[:16].replace("T", " ")), Cell(_commit(row.record.get("git") or {})),
            Cell(f"{name} × {count}" if count > 1 else name), Cell(str(precision.get("used", ""))),
            number(seconds.get("training"), 1), number(sum(seconds.values()) if seconds else None, 1),
            *([number(row.cost_usd, 2)] if costs else []), Cell((row.record.get("fingerprint") or "")[:8]),
        ])  # fmt: skip
    return Table((*columns, *(["cost $"] if costs else []), "fingerprint"), cells, "What each run was made with")


def _commit(git: dict[str, Any]) -> str:
    if not git.get("commit"):
        return ""
    return git["commit"][:8] + (" with changes" if git.get("dirty") else "")
