"""Everything a report is made from: the runs, what they answered, and how they compare."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paraphrase_lab.comparison.compare import Comparison, compare_runs
from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.runs.listing import RunRow, differing_keys, recipe_names, telling_keys
from paraphrase_lab.runs.predictions import Predictions, read_predictions

PREFIX = {"validation": "val", "test": "test", "train": "train"}
FINISHED = "finished"
COMPARED_WITH_EACH_OTHER = 6
"""Candidates; of more, each is compared with the first one only."""


@dataclass(frozen=True)
class Recipe:
    """Runs whose configuration differs in the seed only."""

    name: str
    rows: tuple[RunRow, ...]

    def values(self, metric: str) -> list[float]:
        return [row.metrics[metric] for row in self.rows if metric in row.metrics]

    def mean(self, metric: str) -> float | None:
        return statistics.fmean(values) if (values := self.values(metric)) else None

    def spread(self, metric: str) -> float | None:
        """Standard deviation over the runs; None for one run."""
        return statistics.stdev(values) if len(values := self.values(metric)) > 1 else None


@dataclass(frozen=True)
class Answered:
    """A run with what it answered on the split."""

    row: RunRow
    recipe: str
    predictions: Predictions


@dataclass(frozen=True)
class Material:
    title: str
    split: str
    metrics: tuple[str, ...]
    """Without their prefix; the first one is the one the report is about."""
    rows: tuple[RunRow, ...]
    recipes: tuple[Recipe, ...]
    answered: tuple[Answered, ...]
    """The finished runs on the data that most of them were evaluated on."""
    left_out: tuple[str, ...]
    """Why a finished run is not in `answered`, in a sentence."""
    comparison: Comparison | None
    why_not: str
    """Why there is no comparison."""

    @property
    def metric(self) -> str:
        return self.named(self.metrics[0])

    def named(self, metric: str) -> str:
        """accuracy -> test/accuracy."""
        return f"{PREFIX[self.split]}/{metric}"

    @property
    def keys(self) -> list[str]:
        """Config keys that tell the runs apart."""
        return telling_keys(self.rows)

    @property
    def all_keys(self) -> list[str]:
        return differing_keys(self.rows)

    @property
    def swept(self) -> list[str]:
        """Without the seed, of the runs that count."""
        return [key for key in telling_keys([row for recipe in self.recipes for row in recipe.rows]) if key != "seed"]


def gather(
    rows: Sequence[RunRow],
    *,
    title: str,
    split: str | None = None,
    metrics: Sequence[str] = (),
    baseline: str | None = None,
    names: Sequence[str] | None = None,
) -> Material:
    """
    Args:
        metrics: the first one is the one the report is about; default: accuracy and F1.
        baseline: the recipe that the others are compared with.
        names: the recipe of each run, where its configuration shall not decide.

    Raises:
        UserError: no run at all, a metric that none of them has, or a baseline that the others cannot be compared with.
    """
    if not rows:
        raise UserError("no run to report on", hint="`paraphrase runs` lists runs, `paraphrase train` makes one")
    finished = [row for row in rows if row.status == FINISHED]
    split = split or next((split for split in ("test", "validation") if any(_has(row, split) for row in finished)), "test")
    chosen = _checked_metrics(metrics, finished, split)
    read, left_out = _read(finished, split)
    own = {id(row): name for row, name in zip(rows, names, strict=True)} if names else {}
    recipe_of = own or {id(row): name for row, name in zip(finished, recipe_names(finished), strict=True)}
    recipes: dict[str, list[RunRow]] = {}
    for row in finished:
        recipes.setdefault(recipe_of[id(row)], []).append(row)
    answered, other_data = _of_the_same_data([Answered(row, recipe_of[id(row)], given) for row, given in read])
    compared = [row for row, _ in read]
    comparison, why_not = _compared(compared, [recipe_of[id(row)] for row in compared], split, chosen, baseline)
    return Material(
        title, split, chosen, tuple(rows), tuple(Recipe(name, tuple(of)) for name, of in recipes.items()), tuple(answered),
        (*left_out, *other_data), comparison, why_not,
    )  # fmt: skip


def _has(row: RunRow, split: str) -> bool:
    return any(name.startswith(f"{PREFIX[split]}/") for name in row.metrics)


def _checked_metrics(metrics: Sequence[str], finished: Sequence[RunRow], split: str) -> tuple[str, ...]:
    start = f"{PREFIX[split]}/"
    known = list(dict.fromkeys(name.removeprefix(start) for row in finished for name in row.metrics if name.startswith(start)))
    chosen = [metric.removeprefix(start) for metric in metrics] or [name for name in ("accuracy", "f1") if name in known]
    for metric in chosen:
        if finished and metric not in known:
            raise UserError(f"no run has the metric {start}{metric}", valid=f"metrics: {', '.join(known) or 'none'}")
    return tuple(chosen) or ("accuracy",)


def _read(rows: Sequence[RunRow], split: str) -> tuple[list[tuple[RunRow, Predictions]], list[str]]:
    read, left_out = [], []
    for row in rows:
        if not isinstance(row.path, Path):
            left_out.append(f"{row.name} lies elsewhere ({row.path}): only its record is shown here.")
            continue
        try:
            read.append((row, read_predictions(row.path, split)))
        except RunError as error:
            left_out.append(f"{error.problem}.")
    return read, left_out


def _of_the_same_data(answered: Sequence[Answered]) -> tuple[list[Answered], list[str]]:
    counts = Counter(one.predictions.fingerprint for one in answered)
    if len(counts) < 2:
        return list(answered), []
    most, _ = counts.most_common(1)[0]
    others = [one for one in answered if one.predictions.fingerprint != most]
    note = (
        f"{one.row.name} was evaluated on other data (fingerprint {one.predictions.fingerprint[:8]}, not {most[:8]}): "
        "not in the parts on single pairs."
        for one in others
    )
    return [one for one in answered if one.predictions.fingerprint == most], list(note)


def _compared(
    rows: Sequence[RunRow], recipes: Sequence[str], split: str, metrics: Sequence[str], baseline: str | None
) -> tuple[Comparison | None, str]:
    """The comparison, or why there is none. What was typed is an error where it cannot be done."""
    names = list(dict.fromkeys(recipes))
    wanted = baseline
    if wanted is None and len(names) > COMPARED_WITH_EACH_OTHER:
        wanted = names[0]
    try:
        if len(rows) < 2:
            raise RunError(f"{'only one run has' if rows else 'no run has'} predictions for {split} here")
        if len(names) == 1 and len(rows) > COMPARED_WITH_EACH_OTHER:
            raise RunError(f"all {len(rows)} runs are one recipe: they differ in the seed only")
        return compare_runs(rows, split=split, metrics=metrics, baseline=wanted, names=recipes), ""
    except UserError as error:
        if baseline is not None:
            raise
        return None, str(error)
