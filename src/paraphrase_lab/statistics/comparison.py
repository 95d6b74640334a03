"""The result of a comparison: candidates and their differences, with the cells that every table of them shows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paraphrase_lab.statistics.formatting import interval, mean_and_spread, p_value, signed

MODELS, RECIPES = "models", "recipes"
ALL = "all"
"""The slice that holds every pair."""
QUESTIONS = {
    MODELS: "Question: are these models different on pairs like these? Every candidate is one run.",
    RECIPES: "Question: are these recipes different, whatever the seed? Runs that differ only in the seed are one recipe.",
}
EXPLANATION = "p is corrected for the number of comparisons (Holm). Better: p below 0.05, and 0 in no interval."


@dataclass(frozen=True)
class Candidate:
    """One model, or one recipe with its runs, one per seed.

    `values` and `spread` hold mean and standard deviation over the runs of every metric; `spread` is empty for one run.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]
    values: dict[str, float]
    spread: dict[str, float]

    def cell(self, metric: str) -> str:
        return mean_and_spread(metric, self.values[metric], self.spread.get(metric))


@dataclass(frozen=True)
class Difference:
    """One metric of two candidates on one slice; all values in the metric's own unit (0.01 is a point of accuracy)."""

    metric: str
    slice: str
    a: str
    b: str
    value_a: float
    value_b: float
    difference: float
    """b - a."""
    low: float
    high: float
    """95 % interval over the pairs: paired cluster bootstrap."""
    p_value: float
    """From the pairs: cluster sign-flip test."""
    p_adjusted: float
    """After Holm's correction of all tests together; this one decides."""
    seeds_low: float | None
    seeds_high: float | None
    """95 % interval over the seeds (Welch); None where the question is about two models, or seeds are too few."""
    better: str | None
    """The better one's name; None where there is no significant difference."""
    verdict: str
    seeds_p_value: float | None
    pairs: int
    """Size of the slice."""

    @property
    def seeds(self) -> tuple[float, float] | None:
        """The interval over the seeds, if there is one."""
        return None if self.seeds_low is None or self.seeds_high is None else (self.seeds_low, self.seeds_high)

    @property
    def excludes_zero(self) -> bool:
        """True if 0 is in none of the intervals."""
        ends = [(self.low, self.high), *([self.seeds] if self.seeds else [])]
        return all(low > 0 for low, _ in ends) or all(high < 0 for _, high in ends)

    @property
    def larger_p_value(self) -> float:
        """Before correction: that of the pairs or that of the seeds."""
        return max(self.p_value, self.seeds_p_value or 0.0)

    def cells(self, *, with_seeds: bool, names: Mapping[str, str] | None = None) -> list[str]:
        """Return the texts for `difference_columns`.

        Args:
            names: what the candidates are called in this table, if not by their names.
        """
        seeds = [interval(self.metric, self.seeds_low, self.seeds_high)] if with_seeds else []
        better = (names or {}).get(self.better, self.better) if self.better else "-"
        ends = interval(self.metric, self.low, self.high)
        return [signed(self.metric, self.difference), ends, *seeds, p_value(self.p_adjusted), better]


def difference_columns(*, with_seeds: bool) -> list[str]:
    """Name the columns of `Difference.cells`."""
    return ["difference", "95 % over pairs", *(["95 % over seeds"] if with_seeds else []), "p", "better"]


@dataclass(frozen=True)
class Comparison:
    question: str
    """models: these two models; recipes: what a training like this gives, whatever the seed."""
    split: str
    fingerprint: str
    pairs: int
    clusters: int
    resamples: int
    metric: str
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def whole(self) -> list[Difference]:
        """The differences on all pairs."""
        return [one for one in self.differences if one.slice == ALL]

    @property
    def sliced(self) -> list[Difference]:
        return [one for one in self.differences if one.slice != ALL]

    @property
    def metrics(self) -> list[str]:
        """The metrics that were compared and are defined on these pairs."""
        return list(dict.fromkeys(one.metric for one in self.differences))

    @property
    def with_seeds(self) -> bool:
        """True if tables of the differences have a column for the interval over the seeds."""
        return self.question == RECIPES

    @property
    def scope(self) -> str:
        return (
            f"{self.pairs:,} {self.split} pairs ({self.fingerprint[:8]}) in {self.clusters:,} clusters that share no "
            f"sentence; {self.resamples:,} resamples"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: paths as text, None for what is not defined."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value
