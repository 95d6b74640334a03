"""The runs of one recipe, and what they reached on average."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from paraphrase_lab.runs.row import RunRow


@dataclass(frozen=True)
class Recipe:
    """Runs whose configuration differs in the seed only; or a single run that is compared as a model."""

    name: str
    rows: tuple[RunRow, ...]

    def values(self, metric: str) -> list[float]:
        return [row.metrics[metric] for row in self.rows if metric in row.metrics]

    def mean(self, metric: str) -> float | None:
        return statistics.fmean(values) if (values := self.values(metric)) else None

    def spread(self, metric: str) -> float | None:
        """Return the standard deviation over the runs; None for one run."""
        return statistics.stdev(values) if len(values := self.values(metric)) > 1 else None


def recipes_of(names: Iterable[str], rows: Iterable[RunRow]) -> dict[str, Recipe]:
    """Collect the runs of each recipe by its name, in the order of the runs."""
    found: dict[str, list[RunRow]] = {}
    for name, row in zip(names, rows, strict=True):
        found.setdefault(name, []).append(row)
    return {name: Recipe(name, tuple(of)) for name, of in found.items()}
