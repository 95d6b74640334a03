"""The part of a report on the capability checklist: every recipe's accuracy on each kind of pairs."""

from collections.abc import Sequence
from statistics import fmean

from paraphrase_lab.data.checklist import SPLIT_NAMES
from paraphrase_lab.metrics.groups import GroupResult, accuracy_of, from_record
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
    recipes = [recipe.rows for recipe in material.recipes if recipe.name in scored]
    first = next(iter(scored.values()))[0]
    kinds = dict.fromkeys(kind for runs in scored.values() for results in runs for kind in results)
    rows = []
    for kind in kinds:
        of_recipes = [[results[kind] for results in runs if kind in results] for runs in scored.values()]
        pairs = next(one.pairs for of_recipe in of_recipes for one in of_recipe)
        rows.append([Cell(kind), integer(pairs), *_numbers([_mean([one.accuracy for one in found]) for found in of_recipes])])
    totals = [_mean([accuracy_of(results) for results in runs]) for runs in scored.values()]
    rows.append([Cell("all kinds", strong=True), integer(sum(one.pairs for one in first.values())), *_numbers(totals)])
    floors = [next((floor for row in recipe if (floor := _floor(row, half)) is not None), None) for recipe in recipes]
    if any(floor is not None for floor in floors):
        rows.append([Cell("floor: counts of words"), Cell(""), *(number(floor) for floor in floors)])
    return [Table(("kind", "pairs", *scored), rows, f"Accuracy on the {half.replace('_', ', ')} half", NOTE)]


def _of(rows: Sequence[RunRow], half: str) -> list[dict[str, GroupResult]]:
    return [from_record(groups) for row in rows if (groups := (row.record.get("groups") or {}).get(half))]


def _floor(row: RunRow, half: str) -> float | None:
    return ((row.record.get("checklist") or {}).get(half) or {}).get("floor")


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _numbers(values: Sequence[float | None]) -> list[Cell]:
    best = max((value for value in values if value is not None), default=None)
    return [number(value, strong=len(values) > 1 and value == best) for value in values]
