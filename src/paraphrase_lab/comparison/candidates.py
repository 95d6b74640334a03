"""The candidates of a comparison: single models, or recipes with their seeds."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.metrics.binary import METRIC_NAMES, binary_metrics
from paraphrase_lab.runs.differences import recipe_names
from paraphrase_lab.runs.fingerprint import differences
from paraphrase_lab.runs.predictions import Predictions
from paraphrase_lab.runs.recipe import Recipe, recipes_of
from paraphrase_lab.runs.row import FAILED, FINISHED, RunRow
from paraphrase_lab.statistics.comparison import Candidate

FAILED_SEEDS = "Where some seeds of a recipe fail, the others flatter it."
MOST_WITHOUT_BASELINE = 40
UNFINISHED_SHOWN = 5
PARTS = ("data", "code", "libraries", "device", "teacher")
"""Parts of a run's fingerprint beside its configuration."""


def group_runs(rows: Sequence[RunRow], names: Sequence[str] | None = None) -> tuple[list[Recipe], list[str]]:
    """Return the recipes in the order of the runs, each seed once, and notes about them.

    Runs that are all of one recipe are compared as models: each is a recipe of its own.

    Args:
        names: the recipe of each run, where its configuration shall not decide.

    Raises:
        RunError: fewer than two runs, one that is not finished, or one that is not on this machine.
    """
    for row in rows:
        if not isinstance(row.path, Path):
            raise RunError(f"{row.path} is not on this machine, and its predictions are needed", hint="copy the run here first")
        if row.status != FINISHED:
            raise RunError(
                f"{row.path} is not finished: it is {row.status}",
                hint=f"`paraphrase train … resume={row.path}` continues it; `--where status=finished` leaves such runs out",
            )
    recipes = recipes_of(names or recipe_names(rows), rows)
    if len(recipes) == 1 and len(rows) > 1:
        notes = ["All these runs are one recipe, so they are compared as models.", *_differ_in_more_than_the_seed(recipes)]
        of_folds = [f"fold={row.repetition[1]}" for row in rows]
        kinds = ([f"seed={row.seed}" for row in rows], of_folds, [row.name for row in rows])
        told_apart = next((names for names in kinds if len(set(names)) == len(names)), [str(row.path) for row in rows])
        return list(recipes_of(told_apart, rows).values()), notes
    if len(rows) < 2:
        found = f"only {rows[0].path}" if rows else "none"
        raise RunError(f"a comparison needs two runs at least, found {found}", hint="`paraphrase runs` lists the runs")
    notes: list[str] = []
    recipes = {name: Recipe(name, _once_per_seed(recipe.rows, notes)) for name, recipe in recipes.items()}
    return list(recipes.values()), notes + _differ_in_more_than_the_seed(recipes)


def without_unfinished(rows: Sequence[RunRow]) -> tuple[list[RunRow], list[str]]:
    """Return the finished runs, and notes about the others: for runs that were not named one by one."""
    others = [row for row in rows if row.status != FINISHED]
    if not others:
        return list(rows), []
    shown = ", ".join(f"{row.path} ({row.status})" for row in others[:UNFINISHED_SHOWN])
    more = f" and {len(others) - UNFINISHED_SHOWN} more" if len(others) > UNFINISHED_SHOWN else ""
    notes = [f"Left out, since not finished: {shown}{more}."]
    if any(row.status == FAILED for row in others):
        notes.append(FAILED_SEEDS)
    return [row for row in rows if row.status == FINISHED], notes


def _once_per_seed(rows: Sequence[RunRow], notes: list[str]) -> tuple[RunRow, ...]:
    """Keep the first run of each seed and fold: a second one is no new evidence."""
    kept: dict[tuple[int, int], RunRow] = {}
    for row in rows:
        first = kept.setdefault(row.repetition, row)
        if first is row:
            continue
        parts, others = (one.record.get("fingerprint_parts") or {} for one in (row, first))
        changed = " and ".join(differences(parts, others) if parts and others else [])
        but = f", but not with the same {changed}: name both directories to compare them" if changed else ""
        notes.append(f"{row.path} is left out: same recipe and seed as {first.path}{but}.")
    return tuple(kept.values())


def _differ_in_more_than_the_seed(recipes: Mapping[str, Recipe]) -> list[str]:
    """Name what the configuration does not show, such as seeds of a recipe that were run with other code."""
    names: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        if differing := _differing_parts(recipe.rows):
            names.setdefault(" and ".join(differing), []).append(name)
    return [f"Not only the seed differs among the runs of {', '.join(of)}: {parts} too." for parts, of in names.items()]


def _differing_parts(rows: Sequence[RunRow]) -> list[str]:
    """Name the parts, as in ["code", "libraries (torch)"]; test pairs do not count, since they must be the same anyway."""
    recorded = [parts for row in rows if (parts := row.record.get("fingerprint_parts"))]
    found = []
    for part in PARTS if not all(row.config.get("data.folds") for row in rows) else PARTS[1:]:  # each fold has its own data
        first, *others = [parts[part] for parts in recorded if part in parts] or [None]
        if isinstance(first, Mapping):
            mappings = [other for other in others if isinstance(other, Mapping)]
            changed = dict.fromkeys(one for other in mappings for one in differences(other, first) if one != "test")
            found += [f"{part} ({', '.join(changed)})"] if changed else []
        elif any(other != first for other in others):
            found.append(part)
    return found


def candidates_of(recipes: Sequence[Recipe], given: Iterable[Predictions]) -> list[Candidate]:
    """Make the candidates from the predictions of all runs, in the order of the recipes."""
    predictions = iter(given)
    found = []
    for recipe in recipes:
        of_recipe = itertools.islice(predictions, len(recipe.rows))
        of_runs = [binary_metrics(one.labels, one.probabilities, one.threshold) for one in of_recipe]
        columns = {name: [values[name] for values in of_runs] for name in METRIC_NAMES}
        spread = {name: float(np.std(column, ddof=1)) for name, column in columns.items()} if len(of_runs) > 1 else {}
        means = {name: float(np.mean(column)) for name, column in columns.items()}
        runs, seeds = tuple(Path(row.path) for row in recipe.rows), tuple(row.seed for row in recipe.rows)
        found.append(Candidate(recipe.name, runs, seeds, means, spread))
    return found


def numbers_of(recipes: Sequence[Recipe]) -> list[list[int]]:
    """Return the numbers of each recipe's runs, counted through all recipes."""
    numbers = itertools.count()
    return [[next(numbers) for _ in recipe.rows] for recipe in recipes]


def without_repetitions(
    recipes: Sequence[Recipe], given: Sequence[Predictions]
) -> tuple[list[Recipe], list[Predictions], list[str]]:
    """Leave out seeds of a recipe that predict exactly what an earlier one does, with notes: they are no new evidence."""
    kept, of_kept, notes = [], [], []
    predictions = iter(given)
    for recipe in recipes:
        first: dict[bytes, RunRow] = {}
        rows: list[RunRow] = []
        for row, one in zip(recipe.rows, itertools.islice(predictions, len(recipe.rows)), strict=True):
            same = first.setdefault(one.probabilities.tobytes(), row)
            if same is row:
                rows.append(row)
                of_kept.append(one)
            else:
                notes.append(f"{row.path} counts once with {same.path}: equal predictions, under another seed.")
        kept.append(Recipe(recipe.name, tuple(rows)))
    return kept, of_kept, notes


def in_order_of_seeds(
    recipes: Sequence[Recipe], given: Sequence[Predictions]
) -> tuple[list[Recipe], list[Predictions], list[str]]:
    """Return the seeds that all recipes have, in their order, so that runs can be compared seed by seed.

    Raises:
        UserError: the recipes have no seed in common.
    """
    common = sorted(set.intersection(*({row.repetition for row in recipe.rows} for recipe in recipes)))
    if not common:
        raise UserError("study.paired_seeds compares seed by seed, and the recipes have no seed in common")
    kept, of_kept, notes = [], [], ["Compared seed by seed, as the study declares (study.paired_seeds)."]
    for recipe, numbers in zip(recipes, numbers_of(recipes), strict=True):
        of_seed = {row.repetition: (row, given[number]) for row, number in zip(recipe.rows, numbers, strict=True)}
        kept.append(Recipe(recipe.name, tuple(of_seed[seed][0] for seed in common)))
        of_kept += [of_seed[seed][1] for seed in common]
        if alone := sorted(of_seed.keys() - set(common)):
            notes.append(
                f"Left out, since not all have them: seeds {', '.join(str(seed) for seed, _ in alone)} of {recipe.name}."
            )
    return kept, of_kept, notes


def versus_of(names: Sequence[str], baseline: str | None) -> list[tuple[int, int]]:
    """Return (a, b) by number; b is compared with a.

    Raises:
        UserError: a baseline that is none of them, or more comparisons than anyone would read.
    """
    if baseline is None:
        if len(names) > MOST_WITHOUT_BASELINE:
            raise UserError(
                f"{len(names)} candidates are {len(names) * (len(names) - 1) // 2:,} comparisons of each with each",
                valid=f"up to {MOST_WITHOUT_BASELINE} without a baseline",
                hint="--baseline NAME compares the others with one; --where chooses among the runs",
            )
        return [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
    if baseline not in names:
        raise UserError(f"there is no candidate {baseline!r}", valid=f"candidates: {', '.join(names)}")
    first = names.index(baseline)
    return [(first, other) for other in range(len(names)) if other != first]
