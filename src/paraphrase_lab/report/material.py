"""Everything a report is made from: the runs, their predictions, and how they compare."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paraphrase_lab.comparison.compare import compare_runs
from paraphrase_lab.errors import RunError, UserError
from paraphrase_lab.metrics.names import PREFIX
from paraphrase_lab.report.blocks import Text
from paraphrase_lab.runs.differences import distinguishing_keys, recipe_names
from paraphrase_lab.runs.predictions import Predictions, read_predictions
from paraphrase_lab.runs.recipe import Recipe, recipes_of
from paraphrase_lab.runs.row import FINISHED, RunRow
from paraphrase_lab.statistics.comparison import Comparison

COMPARED_WITH_EACH_OTHER = 6
"""Candidates; of more, each is compared with the first one only."""


class EvaluatedRun(NamedTuple):
    """A run with its predictions on the split."""

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
    evaluated: tuple[EvaluatedRun, ...]
    """The finished runs on the data that most of them were evaluated on."""
    left_out: tuple[str, ...]
    """A sentence for each finished run that is not in `evaluated`: why not."""
    comparison: Comparison | None
    why_not: str
    """Why there is no comparison."""
    is_one_data_set: bool
    """False where runs were evaluated on different pairs: their means cannot be compared then."""

    @property
    def metric(self) -> str:
        return self.named(self.metrics[0])

    def named(self, metric: str) -> str:
        """accuracy -> test/accuracy."""
        return f"{PREFIX[self.split]}/{metric}"

    @property
    def no_predictions(self) -> Text:
        return Text(f"No run has predictions for {self.split} here.", note=True)

    @property
    def swept(self) -> list[str]:
        """Config keys that distinguish the finished runs, without the seed."""
        rows = [row for recipe in self.recipes for row in recipe.rows]
        return [key for key in distinguishing_keys(rows) if key != "seed"]


def gather(
    rows: Sequence[RunRow],
    *,
    title: str,
    split: str | None = None,
    metrics: Sequence[str] = (),
    baseline: str | None = None,
    names: Sequence[str] | None = None,
) -> Material:
    """Read the runs' predictions and compare them.

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
    measured = {name.partition("/")[0] for row in finished for name in row.metrics}
    split = split or next((split for split in ("test", "validation") if PREFIX[split] in measured), "test")
    chosen = _checked_metrics(metrics, finished, split)
    read, left_out = _read(finished, split)
    own = {id(row): name for row, name in zip(rows, names, strict=True)} if names else {}
    recipe_of = own or {id(row): name for row, name in zip(finished, recipe_names(finished), strict=True)}
    recipes = recipes_of([recipe_of[id(row)] for row in finished], finished)
    evaluated, other_data = _of_the_same_data([EvaluatedRun(row, recipe_of[id(row)], given) for row, given in read])
    compared = [row for row, _ in read]
    comparison, why_not = _compared(compared, [recipe_of[id(row)] for row in compared], split, chosen, baseline)
    return Material(
        title, split, chosen, tuple(rows), tuple(recipes.values()), tuple(evaluated),
        (*left_out, *other_data), comparison, why_not, not other_data,
    )  # fmt: skip


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
            left_out.append(f"{row.name} is on another machine ({row.path}): only its record is shown here.")
            continue
        try:
            read.append((row, read_predictions(row.path, split)))
        except RunError as error:
            left_out.append(f"{error.problem}.")
    return read, left_out


def _of_the_same_data(evaluated: Sequence[EvaluatedRun]) -> tuple[list[EvaluatedRun], list[str]]:
    counts = Counter(one.predictions.fingerprint for one in evaluated)
    most = counts.most_common(1)[0][0] if counts else ""
    notes = [
        f"{one.row.name} was evaluated on other data (fingerprint {one.predictions.fingerprint[:8]}, not {most[:8]}): "
        "not in the parts on single pairs."
        for one in evaluated
        if one.predictions.fingerprint != most
    ]
    return [one for one in evaluated if one.predictions.fingerprint == most], notes


def _compared(
    rows: Sequence[RunRow], recipes: Sequence[str], split: str, metrics: Sequence[str], baseline: str | None
) -> tuple[Comparison | None, str]:
    """Return the comparison, or why there is none; raises only where a baseline was typed."""
    names = list(dict.fromkeys(recipes))
    first = names[0] if len(names) > COMPARED_WITH_EACH_OTHER else None
    try:
        if len(rows) < 2:
            raise RunError(f"{'only one run has' if rows else 'no run has'} predictions for {split} here")
        if len(names) == 1 and len(rows) > COMPARED_WITH_EACH_OTHER:
            raise RunError(f"all {len(rows)} runs are one recipe: they differ in the seed only")
        return compare_runs(rows, split=split, metrics=metrics, baseline=baseline or first, names=recipes), ""
    except UserError as error:
        if baseline is not None:
            raise
        return None, str(error)
