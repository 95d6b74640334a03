"""The part of a report on the capability checklist: every recipe's accuracy on each kind of pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

from paraphrase_lab.data.checklist import SPLIT_NAMES
from paraphrase_lab.report.blocks import Block, Cell, Table, integer, number
from paraphrase_lab.report.material import Material
from paraphrase_lab.runs.row import RunRow

NOTE = (
    "The mean over each recipe's runs, of short pairs that no training has seen; chance is 0.5, but for kinds of one label. "
    "A kind alone is rough: where 6 of 12 pairs are right, the 95 % interval of one run is 0.25 to 0.75."
)


def checklist(material: Material) -> list[Block]:
    """Tabulate the half that goes with the report's split; nothing where no run has scored it."""
    half = SPLIT_NAMES.get(material.split, SPLIT_NAMES["test"])
    scored = {recipe.name: found for recipe in material.recipes if (found := _of(recipe.rows, half))}
    if not scored:
        return []
    kinds = dict.fromkeys(kind for runs in scored.values() for groups in runs for kind in groups)
    rows = []
    for kind in kinds:
        pairs = next(groups[kind]["pairs"] for runs in scored.values() for groups in runs if kind in groups)
        values = [_mean([groups[kind]["accuracy"] for groups in runs if kind in groups]) for runs in scored.values()]
        rows.append([Cell(kind), integer(pairs), *_numbers(values)])
    totals = [_mean([_total(groups) for groups in runs]) for runs in scored.values()]
    pairs = sum(one["pairs"] for one in next(iter(scored.values()))[0].values())
    rows.append([Cell("all kinds", strong=True), integer(pairs), *_numbers(totals)])
    return [Table(("kind", "pairs", *scored), rows, f"Accuracy on the {half.replace('_', ', ')} half", NOTE)]


def _of(rows: Sequence[RunRow], half: str) -> list[Mapping[str, Any]]:
    return [groups for row in rows if (groups := (row.record.get("groups") or {}).get(half))]


def _total(groups: Mapping[str, Any]) -> float:
    return sum(one["accuracy"] * one["pairs"] for one in groups.values()) / sum(one["pairs"] for one in groups.values())


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _numbers(values: Sequence[float | None]) -> list[Cell]:
    best = max((value for value in values if value is not None), default=None)
    return [number(value, strong=len(values) > 1 and value == best) for value in values]
