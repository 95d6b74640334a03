"""Is B better than A, on what, by how much, how sure: runs that were evaluated on the same pairs, compared with statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from paraphrase_lab.comparison.candidates import Candidate, Group, candidates_of, group_runs, numbers_of, versus_of
from paraphrase_lab.comparison.common_pairs import Answered, read_answers
from paraphrase_lab.comparison.slices import ALL, slices
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.binary import METRIC_NAMES
from paraphrase_lab.runs.listing import RunRow
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.correction import holm
from paraphrase_lab.statistics.paired import Paired, compare_paired
from paraphrase_lab.statistics.seeds import welch
from paraphrase_lab.statistics.verdict import SIGNIFICANCE, Finding, better, sentence, too_few_seeds

__all__ = ["MODELS", "RECIPES", "Candidate", "Comparison", "Difference", "compare_runs"]
MODELS, RECIPES = "models", "recipes"
METRICS = ("accuracy", "f1")
RESAMPLES = 10_000
FEWEST_CLUSTERS = 20
"""Of a slice that is compared."""
FEW_CLUSTERS = 50
SLICES_UP_TO = 50
"""Comparisons; of more, only the whole set is looked at. The screen stops earlier."""


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
    """Over the pairs: cluster sign-flip test."""
    p_adjusted: float
    """Of all tests together, after Holm; what decides."""
    seeds_low: float | None
    seeds_high: float | None
    """95 % interval over the seeds (Welch); None where the question is about two models, or seeds are too few."""
    better: str | None
    """The better one's name; None where they cannot be told apart."""
    verdict: str
    seeds_p_value: float | None = None
    pairs: int = 0
    """Of the slice."""


@dataclass(frozen=True)
class Comparison:
    question: str
    """models: these very models; recipes: what a training like this gives, whatever the seed."""
    split: str
    fingerprint: str
    pairs: int
    clusters: int
    resamples: int
    metric: str
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: paths as text, nothing for what is not defined."""
        values = _plain(asdict(self))
        assert isinstance(values, dict)
        return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and np.isnan(value):
        return None
    return str(value) if isinstance(value, Path) else value


def compare_runs(
    rows: Sequence[RunRow],
    *,
    split: str = "test",
    metrics: Sequence[str] = METRICS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    baseline: str | None = None,
    by_slice: bool = True,
    slices_up_to: int = SLICES_UP_TO,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Every candidate with every other, or all with the baseline: all metrics on the whole set, the first one by slice.

    Runs whose configuration differs in the seed only are one candidate. Holm's correction is done for the whole set and for
    the slices apart, so that looking at slices does not change the verdict on the whole.

    Args:
        baseline: a candidate's name.
        seed: of the resampling.
        slices_up_to: comparisons; with more there are no slices, and a note says so.
        names: the candidate each run belongs to, where its configuration shall not decide.

    Raises:
        UserError: runs that cannot be compared, or metrics or a baseline that do not exist.
    """
    _check_metrics(metrics)
    groups, notes = group_runs(rows, names)
    question = RECIPES if any(len(group.rows) > 1 for group in groups) else MODELS
    answered = read_answers([row for group in groups for row in group.rows], split)
    scored, clusters = answered.scored, sentence_clusters(answered.sentence1, answered.sentence2)
    candidates = candidates_of(groups, answered)
    versus = versus_of([group.name for group in groups], baseline)
    masks, small = _masks(answered, clusters, by_slice and len(versus) <= slices_up_to)
    if by_slice and len(versus) > slices_up_to:
        small.append(_without_slices(len(versus), slices_up_to))
    parts = {(metric, ALL): masks[ALL] for metric in metrics}
    parts |= {(metrics[0], name): mask for name, mask in masks.items() if name != ALL}
    numbers = numbers_of(groups)
    paired = compare_paired(
        scored, clusters, parts, [(numbers[a], numbers[b]) for a, b in versus], resamples=resamples, seed=seed
    )
    differences: list[Difference] = []
    for whole in (True, False):
        family = {part: found for part, found in paired.items() if (part[1] == ALL) == whole}
        differences += decided(measured(family, versus, groups, numbers), groups, question)
    undefined = [name for name in metrics if (name, ALL) not in {(one.metric, one.slice) for one in differences}]
    notes += [f"{name} is not defined on these pairs: too few of one label." for name in undefined]
    notes += [*answered.notes, *small, *_remarks(question, split, groups, int(clusters.max()) + 1, differences, resamples)]
    return Comparison(
        question, split, answered.fingerprint, len(clusters), int(clusters.max()) + 1, resamples, metrics[0],
        tuple(candidates), tuple(differences), tuple(notes),
    )  # fmt: skip


def _check_metrics(metrics: Sequence[str]) -> None:
    if unknown := [name for name in metrics if name not in METRIC_NAMES]:
        raise UserError(f"there is no metric {', '.join(unknown)}", valid=f"metrics: {', '.join(METRIC_NAMES)}")
    if not metrics:
        raise UserError("no metric to compare", valid=f"metrics: {', '.join(METRIC_NAMES)}")


def _masks(answered: Answered, clusters: np.ndarray, by_slice: bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """The slices that are large enough and tell something new, and a remark about those that are too small."""
    kept = {ALL: np.ones(len(clusters), dtype=bool)}
    small = []
    for name, mask in (slices(answered.sentence1, answered.sentence2) if by_slice else {}).items():
        if any(np.array_equal(mask, other) for other in kept.values()):
            continue
        if len(np.unique(clusters[mask])) < FEWEST_CLUSTERS:
            small.append(name)
        else:
            kept[name] = mask
    remark = f"Slices with fewer than {FEWEST_CLUSTERS} clusters are not compared: {', '.join(small)}."
    return kept, [remark] if small else []


def _without_slices(comparisons: int, slices_up_to: int) -> str:
    if comparisons > SLICES_UP_TO:
        return f"No slices: these are {comparisons} comparisons, and more than {SLICES_UP_TO} are compared as a whole only."
    return f"No slices, since these are more than {slices_up_to} comparisons: --slices compares them."


def measured(
    paired: Mapping[tuple[str, str], Paired],
    versus: Sequence[tuple[int, int]],
    groups: Sequence[Group],
    numbers: Sequence[Sequence[int]],
) -> list[Difference]:
    """Without a verdict; where the labels of a slice do not define the metric there is no difference."""
    found = []
    for (metric, part), one in paired.items():
        for place, (a, b) in enumerate(versus):
            if np.isnan(one.low[place]):
                continue
            of_a, of_b = one.values[list(numbers[a])], one.values[list(numbers[b])]
            over_seeds = welch(of_a, of_b) if min(len(of_a), len(of_b)) >= FEWEST_SEEDS else None
            found.append(
                Difference(
                    metric, part, groups[a].name, groups[b].name, float(of_a.mean()), float(of_b.mean()),
                    difference=float(of_b.mean() - of_a.mean()), low=float(one.low[place]), high=float(one.high[place]),
                    p_value=float(one.p_values[place]), p_adjusted=np.nan,
                    seeds_low=float(over_seeds.low) if over_seeds else None,
                    seeds_high=float(over_seeds.high) if over_seeds else None,
                    better=None, verdict="", seeds_p_value=float(over_seeds.p_value) if over_seeds else None, pairs=one.pairs,
                )
            )  # fmt: skip
    return found


def decided(family: Sequence[Difference], groups: Sequence[Group], question: str) -> list[Difference]:
    """With the verdicts of tests that are corrected together.

    A recipe is better only if pairs and seeds both say so, hence the larger of the two p-values counts (the
    intersection-union test of Berger 1982).
    """
    p_values = [max(one.p_value, one.seeds_p_value or 0.0) for one in family]
    seeds = {group.name: len(group.rows) for group in groups}
    decided = []
    for one, p_value, adjusted in zip(family, p_values, holm(p_values).tolist(), strict=True):
        over_seeds = None if one.seeds_low is None or one.seeds_high is None else (one.seeds_low, one.seeds_high)
        finding = Finding(one.metric, one.difference, one.low, one.high, p_value, adjusted, len(family), over_seeds)
        if question == RECIPES and over_seeds is None:
            winner, verdict = None, too_few_seeds(finding, one.a, one.b, (seeds[one.a], seeds[one.b]))
        else:
            winner, verdict = better(finding, one.a, one.b), sentence(finding, one.a, one.b)
        decided.append(replace(one, p_adjusted=adjusted, better=winner, verdict=verdict))
    return decided


def _remarks(
    question: str, split: str, groups: Sequence[Group], clusters: int, differences: Sequence[Difference], resamples: int
) -> list[str]:
    remarks = []
    if question == MODELS:
        remarks.append(f"Nothing is said about other seeds: {FEWEST_SEEDS} runs or more of each recipe would tell.")
    elif few := [group.name for group in groups if len(group.rows) < FEWEST_SEEDS]:
        remarks.append(f"Fewer than {FEWEST_SEEDS} seeds, so nothing is said about the recipe: {', '.join(few)}.")
    if split == "validation":
        remarks.append("Checkpoint, threshold and temperature were chosen on these very pairs, which flatters every run.")
    if clusters < FEW_CLUSTERS:
        remarks.append(f"Only {clusters} clusters of pairs: the intervals are rough.")
    tests = max(sum(one.slice == ALL for one in differences), sum(one.slice != ALL for one in differences))
    if tests / (resamples + 1) > SIGNIFICANCE:
        remarks.append(f"{resamples:,} resamples are too few for {tests} comparisons: no p-value can become small enough.")
    return remarks
