"""Is B better than A, on what, by how much, how sure: runs that were evaluated on the same pairs, compared with statistics."""

from collections.abc import Mapping, Sequence

import numpy as np

from paraphrase_lab.comparison.candidates import (
    candidates_of,
    group_runs,
    in_order_of_seeds,
    numbers_of,
    versus_of,
    without_repetitions,
)
from paraphrase_lab.comparison.common_pairs import default_split, leak_notes, read_common_predictions
from paraphrase_lab.comparison.decisions import decided
from paraphrase_lab.comparison.slices import GROUP, slices
from paraphrase_lab.data.clusters import sentence_clusters
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.binary import METRIC_NAMES, decide
from paraphrase_lab.runs.predictions import Predictions
from paraphrase_lab.runs.recipe import Recipe
from paraphrase_lab.runs.row import RunRow
from paraphrase_lab.statistics import EQUAL_WITHIN, FEWEST_SEEDS
from paraphrase_lab.statistics.comparison import ALL, MODELS, RECIPES, Comparison, Difference, SmallGroup
from paraphrase_lab.statistics.metric_sums import Scored
from paraphrase_lab.statistics.paired import compare_paired
from paraphrase_lab.statistics.verdict import SIGNIFICANCE

METRICS = ("accuracy", "f1")
RESAMPLES = 10_000
FEWEST_CLUSTERS = 20
"""A smaller slice is not compared."""
FEW_CLUSTERS = 50
ONE_CLUSTER = "shared sentences connect all of them into one cluster, which says nothing about others"
LARGE_CLUSTER = 0.5
"""Share of the pairs from which on the intervals hang on one cluster."""
SLICES_UP_TO = 50
"""Comparisons; of more, only the whole set is compared. The screen stops earlier."""


def compare_runs(
    rows: Sequence[RunRow],
    *,
    split: str | None = None,
    metrics: Sequence[str] = METRICS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    baseline: str | None = None,
    by_slice: bool = True,
    slices_up_to: int = SLICES_UP_TO,
    names: Sequence[str] | None = None,
    equal_within: float = EQUAL_WITHIN,
    each_metric: bool = False,
    paired_seeds: bool = False,
    level: float = SIGNIFICANCE,
) -> Comparison:
    """Compare every candidate with every other, or all with the baseline: all metrics on the whole set, the first by slice.

    Runs whose configuration differs in the seed only are one candidate. Holm's correction is done for the whole set and for
    the slices apart, so that looking at slices does not change the verdict on the whole.

    Args:
        split: null for test, or for validation where a run has scored no test pairs, which is said.
        baseline: a candidate's name.
        seed: of the resampling.
        slices_up_to: comparisons; with more there are no slices, and a note says so.
        names: the candidate each run belongs to, where its configuration shall not decide.
        equal_within: differences smaller than this, in the metric's own unit, count as equal.
        each_metric: whether accuracy and F1 of the same runs are two questions.
        paired_seeds: whether runs are compared seed by seed, which a study declares beforehand.
        level: the corrected p-value below which a question is decided; less than 0.05 where several looks share that.

    Raises:
        UserError: runs that cannot be compared, or metrics or a baseline that do not exist.
    """
    _check_metrics(metrics)
    recipes, notes = group_runs(rows, names)
    if split is None:
        split, without_test = default_split(rows)
        notes += without_test
    question = RECIPES if any(len(recipe.rows) > 1 for recipe in recipes) else MODELS
    given, remarks = read_common_predictions([row for recipe in recipes for row in recipe.rows], split)
    recipes, given, repeated = without_repetitions(recipes, given)
    if paired_seeds:
        recipes, given, unpaired = in_order_of_seeds(recipes, given)
        repeated += unpaired
    clusters = sentence_clusters(given[0].sentence1, given[0].sentence2)
    number = int(clusters.max()) + 1
    versus = versus_of([recipe.name for recipe in recipes], baseline)
    masks, small = _masks(given[0], clusters, by_slice and len(versus) <= slices_up_to)
    left_out = _small_slices(small)
    if by_slice and len(versus) > slices_up_to:
        left_out.append(_no_slices(len(versus), slices_up_to))
    parts = {(metric, ALL): masks[ALL] for metric in metrics}
    parts |= {(metrics[0], name): mask for name, mask in masks.items() if name != ALL}
    numbers = numbers_of(recipes)
    paired = compare_paired(
        _scored(given), clusters, parts, [(numbers[a], numbers[b]) for a, b in versus], resamples=resamples, seed=seed
    )
    differences: list[Difference] = []
    for whole in (True, False):
        family = {part: found for part, found in paired.items() if (part[1] == ALL) == whole}
        differences += decided(
            family, versus, recipes, question, equal_within=equal_within, each_metric=each_metric, paired_seeds=paired_seeds,
            level=level,
        )  # fmt: skip
    undefined = [name for name in metrics if (name, ALL) not in {(one.metric, one.slice) for one in differences}]
    why = ONE_CLUSTER if number == 1 else "too few of one label"
    notes += [f"{name} cannot be compared on these pairs: {why}." for name in undefined]
    notes += [
        *remarks,
        *repeated,
        *left_out,
        *leak_notes(rows, given[0]),
        *_remarks(question, split, recipes, np.bincount(clusters), differences, resamples),
    ]
    return Comparison(
        question, split, given[0].fingerprint, len(clusters), number, int(np.bincount(clusters).max()), resamples, metrics[0],
        tuple(candidates_of(recipes, given)), tuple(differences), tuple(notes), level, _small_groups(small, recipes, given),
    )  # fmt: skip


def _check_metrics(metrics: Sequence[str]) -> None:
    if unknown := [name for name in metrics if name not in METRIC_NAMES]:
        raise UserError(f"there is no metric {', '.join(unknown)}", valid=f"metrics: {', '.join(METRIC_NAMES)}")
    if not metrics:
        raise UserError("no metric to compare", valid=f"metrics: {', '.join(METRIC_NAMES)}")


def _scored(given: Sequence[Predictions]) -> Scored:
    return Scored(
        given[0].labels,
        np.stack([one.probabilities for one in given]),
        np.stack([decide(one.probabilities, one.threshold) for one in given]),
    )


def _masks(given: Predictions, clusters: np.ndarray, by_slice: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the slices that are large enough and no repetition of another, and the smaller ones."""
    kept, small = {ALL: np.ones(len(clusters), dtype=bool)}, {}
    for name, mask in (slices(given.sentence1, given.sentence2, given.groups) if by_slice else {}).items():
        if any(np.array_equal(mask, other) for other in kept.values()):
            continue
        chosen = small if len(np.unique(clusters[mask])) < FEWEST_CLUSTERS else kept
        chosen[name] = mask
    return kept, small


def _small_slices(small: Mapping[str, np.ndarray]) -> list[str]:
    bands = [name for name in small if not name.startswith(GROUP)]
    found = [f"Slices with fewer than {FEWEST_CLUSTERS} clusters are not compared: {', '.join(bands)}."] if bands else []
    if groups := len(small) - len(bands):
        some = "A group has" if groups == 1 else f"{groups} groups have"
        found.append(f"{some} fewer than {FEWEST_CLUSTERS} clusters: no verdict, their accuracies are in a table.")
    return found


def _small_groups(
    small: Mapping[str, np.ndarray], recipes: Sequence[Recipe], given: Sequence[Predictions]
) -> tuple[SmallGroup, ...]:
    right = np.stack([decide(one.probabilities, one.threshold) == one.labels for one in given])
    found = []
    for name in (name for name in small if name.startswith(GROUP)):
        accuracies = tuple(float(right[runs][:, small[name]].mean()) for runs in numbers_of(recipes))
        found.append(SmallGroup(name.removeprefix(GROUP), int(small[name].sum()), accuracies))
    return tuple(found)


def _no_slices(comparisons: int, slices_up_to: int) -> str:
    if comparisons > SLICES_UP_TO:
        return f"No slices: these are {comparisons} comparisons, and more than {SLICES_UP_TO} are compared as a whole only."
    return f"No slices, since these are more than {slices_up_to} comparisons: --slices compares them."


def _remarks(
    question: str, split: str, recipes: Sequence[Recipe], sizes: np.ndarray, differences: Sequence[Difference], resamples: int
) -> list[str]:
    remarks = []
    if question == MODELS:
        remarks.append(f"Nothing is known about other seeds: that needs {FEWEST_SEEDS} runs or more of each recipe.")
    elif few := [recipe.name for recipe in recipes if len(recipe.rows) < FEWEST_SEEDS]:
        remarks.append(f"Too few seeds to compare the recipe, below {FEWEST_SEEDS}: {', '.join(few)}.")
    if any(row.config.get("data.folds") for recipe in recipes for row in recipe.rows):
        remarks.append(
            "Folds share most of their training pairs: their spread, and so the interval, is too small for other training data."
        )
    if split == "validation":
        remarks.append(
            "Checkpoint and calibration were chosen on these very pairs, which flatters every run, "
            "and most the one that had most to choose from."
        )
    if 1 < len(sizes) < FEW_CLUSTERS:
        remarks.append(f"Only {len(sizes)} clusters of pairs: the intervals are rough.")
    if len(sizes) > 1 and (share := sizes.max() / sizes.sum()) >= LARGE_CLUSTER:
        remarks.append(f"One cluster holds {share:.0%} of the pairs: the intervals hang on it, and are rough.")
    tests = max(sum(one.slice == ALL for one in differences), sum(one.slice != ALL for one in differences))
    if question == MODELS and tests / (resamples + 1) > SIGNIFICANCE:
        remarks.append(f"{resamples:,} resamples are too few for {tests} comparisons: no p-value can become small enough.")
    return remarks
