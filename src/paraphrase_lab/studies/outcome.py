"""What a study has found: its finished runs compared, and one sentence about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from paraphrase_lab.comparison.compare import Comparison, Difference, compare_runs
from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.runs.listing import RunRow
from paraphrase_lab.studies.plan import PlannedRun, Study


@dataclass(frozen=True)
class StudyOutcome:
    study: Study
    finished: tuple[tuple[PlannedRun, RunRow], ...]
    comparison: Comparison
    notes: tuple[str, ...]
    """Of runs that are missing."""
    verdict: str
    written: str
    """The day, UTC."""

    def rows_of(self, arm: str) -> list[RunRow]:
        return [row for run, row in self.finished if run.arm.name == arm]

    @property
    def minutes(self) -> float:
        """Of all finished runs, one after the other."""
        return sum(seconds(row) for _, row in self.finished) / 60


def seconds(row: RunRow) -> float:
    return sum((row.record.get("seconds") or {}).values())


def judge(study: Study) -> StudyOutcome:
    """Compares what has finished, whatever the reason that something has not.

    Raises:
        RunError: too little has finished.
    """
    rows = [(run, run.row()) for run in study.runs]
    finished = tuple((run, row) for run, row in rows if row is not None and row.status == "finished")
    notes = [_missing(run, row) for run, row in rows if row is None or row.status != "finished"]
    names = [run.arm.name for run, _ in finished]
    if len(set(names)) < 2:
        raise RunError(
            f"{len(finished)} of {len(study.runs)} runs of {study.name} have finished: nothing to compare yet",
            valid="\n".join(notes),
            hint="the same command runs what is missing",
        )
    baseline = study.baseline if study.baseline in names else None
    if study.baseline and baseline is None:
        notes.append(f"{study.baseline}, the baseline, has no finished run, so each is compared with each.")
    comparison = compare_runs(
        [row for _, row in finished], metrics=(study.metric,), baseline=baseline, by_slice=False, names=names
    )
    today = datetime.now(UTC).date().isoformat()
    return StudyOutcome(study, finished, comparison, tuple(notes), verdict(comparison, baseline), today)


def _missing(run: PlannedRun, row: RunRow | None) -> str:
    what = f"{run.arm.name} with seed {run.seed} (job {run.number})"
    if row is None:
        return f"{what} has not run."
    error = row.record.get("error")
    return f"{what} is {row.status}" + (f": {error}" if error else ".")


def verdict(comparison: Comparison, baseline: str | None) -> str:
    """One sentence on the whole test set."""
    metric = comparison.metric
    decided = [one for one in comparison.differences if one.metric == metric]
    if not decided:
        return f"{metric} is not defined on these pairs."
    if baseline is not None or len(decided) == 1:
        return f"In {metric}, compared with {decided[0].a}: {'; '.join(map(_against, decided))}."
    told_apart = [one for one in decided if one.better]
    if not told_apart:
        return f"In {metric}, no two can be told apart."
    sure = "; ".join(f"{_against(one)}, compared with {one.a}" for one in told_apart)
    return f"In {metric}: {sure}; no others can be told apart."


def _against(one: Difference) -> str:
    """What is said of b where a is what it is compared with."""
    if one.better is None:
        return f"{one.b}: {one.verdict}" if one.verdict.startswith("nothing") else f"{one.b} is {one.verdict}"
    if one.better == one.b:
        return one.verdict
    turned = one.verdict.replace(f"{one.a} is better", f"{one.b} is worse", 1)
    return turned if HIGHER_IS_BETTER[one.metric] else turned.replace(" lower by ", " higher by ", 1)


def chosen_on_validation(outcome: StudyOutcome) -> tuple[str, str, float] | None:
    """(name of the arm with the best mean on validation, metric, that mean); what a choice among the arms should rest on."""
    metric = f"val/{outcome.study.metric}"
    means: dict[str, float] = {}
    for arm in outcome.study.arms:
        values = [row.metrics[metric] for row in outcome.rows_of(arm.name) if metric in row.metrics]
        if values:
            means[arm.name] = mean(values)
    if not means:
        return None
    best = (max if HIGHER_IS_BETTER[outcome.study.metric] else min)(means, key=means.__getitem__)
    return best, metric, means[best]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
