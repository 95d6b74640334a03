"""The result of a comparison: candidates and their differences, with the cells that every table of them shows."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paraphrase_lab.statistics import EQUAL_WITHIN
from paraphrase_lab.statistics.formatting import half_width, interval, mean_and_spread, p_value, signed

MODELS, RECIPES = "models", "recipes"
ALL = "all"
"""The slice that holds every pair."""
QUESTIONS = {
    MODELS: "Question: are these models different on pairs like these? Every candidate is one run.",
    RECIPES: "Question: are these recipes different, whatever the seed? Runs that differ only in the seed are one recipe.",
}
BETTER, EQUAL, UNDECIDED = "better", "equal", "undecided"


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


@dataclass(frozen=True, kw_only=True)
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
    """95 % interval that decides: over pairs and seeds together for recipes, over the pairs for models."""
    p_value: float
    """The p-value of no difference: from the same as the interval; for models of a cluster sign-flip test."""
    p_adjusted: float = math.nan
    """After Holm's correction of all questions together; this one decides."""
    equal_within: float = EQUAL_WITHIN
    """Differences smaller than this count as equal."""
    p_unequal: float = math.nan
    """The p-value of a difference of `equal_within` or more (two one-sided tests), corrected likewise."""
    pairs_low: float
    pairs_high: float
    """95 % interval over the pairs alone, for these very runs: paired cluster bootstrap."""
    seeds_low: float | None = None
    seeds_high: float | None = None
    """95 % interval over the seeds alone, on these very pairs (Welch); None for two models, and for too few seeds."""
    ahead: float | None = None
    """The share of all pairs of a seed of a and one of b in which b is better, ties counting half; None for two models."""
    detectable: float = math.nan
    """The difference that these seeds and pairs find in 80 % of the cases."""
    seeds_to_decide: int | None = None
    """Seeds of each that would probably decide, or None."""
    pairs_to_decide: int | None = None
    """Pairs that would probably decide between two models, or None."""
    outcome: str = UNDECIDED
    """better, equal or undecided."""
    better: str | None = None
    """The better one's name, if that is the outcome."""
    verdict: str = ""
    pairs: int
    """Size of the slice."""

    @property
    def is_of_recipes(self) -> bool:
        return self.seeds_low is not None

    def cells(self, *, with_parts: bool, names: Mapping[str, str] | None = None) -> list[str]:
        """Return the texts for `difference_columns`.

        Args:
            names: what the candidates are called in this table, if not by their names.
        """
        parts = []
        if with_parts and self.ahead is not None:
            parts = [*(half_width(self.metric, *ends) for ends in self.parts), f"{100 * self.ahead:.0f} %"]
        elif with_parts:
            parts = [half_width(self.metric, self.pairs_low, self.pairs_high), "too few seeds", "-"]
        better = (names or {}).get(self.better, self.better) if self.better else None
        ends = interval(self.metric, self.low, self.high)
        outcome = f"{better} better" if better else self.outcome
        return [signed(self.metric, self.difference), ends, *parts, p_value(self.p_adjusted), outcome]

    @property
    def parts(self) -> list[tuple[float, float]]:
        """The intervals over the pairs alone and over the seeds alone; without seeds the first only."""
        over_pairs = (self.pairs_low, self.pairs_high)
        if self.seeds_low is None or self.seeds_high is None:
            return [over_pairs]
        return [over_pairs, (self.seeds_low, self.seeds_high)]


def difference_columns(*, with_parts: bool) -> list[str]:
    """Name the columns of `Difference.cells`."""
    parts = ["pairs alone", "seeds alone", "ahead"] if with_parts else []
    return ["difference", "95 %", *parts, "p", "outcome"]


@dataclass(frozen=True)
class SmallGroup:
    """A group of the data with too few clusters for a verdict: its pairs, and each candidate's mean accuracy on them."""

    name: str
    pairs: int
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    question: str
    """models: these two models; recipes: what a training like this gives, whatever the seed."""
    split: str
    fingerprint: str
    pairs: int
    clusters: int
    largest_cluster: int
    """Pairs in the largest cluster."""
    resamples: int
    metric: str
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    level: float = 0.05
    """The corrected p-value below which a question is decided; several looks share the 0.05."""
    small_groups: tuple[SmallGroup, ...] = ()

    @property
    def explanation(self) -> str:
        """The meaning of the columns p and outcome, in three sentences."""
        return (
            f"p is corrected for the number of questions (Holm). Better: p below {round(self.level, 4):g}. Equal: shown to "
            "differ by less than what counts as equal. Undecided: neither is shown."
        )

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
    def with_parts(self) -> bool:
        """True if tables of the differences show what the pairs and the seeds add to the interval."""
        return self.question == RECIPES

    @property
    def scope(self) -> str:
        return (
            f"{self.pairs:,} {self.split} pairs ({self.fingerprint[:8]}) in {self.clusters:,} clusters that share no "
            f"sentence (the largest holds {self.largest_cluster / self.pairs:.1%}); {self.resamples:,} resamples"
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
