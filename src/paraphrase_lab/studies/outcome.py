"""The outcome of a study: its finished runs compared, and one sentence about them."""

from dataclasses import dataclass

from paraphrase_lab.comparison.compare import compare_runs
from paraphrase_lab.errors import RunError
from paraphrase_lab.metrics.names import HIGHER_IS_BETTER
from paraphrase_lab.runs.recipe import Recipe, recipes_of
from paraphrase_lab.runs.row import FINISHED, RunRow
from paraphrase_lab.statistics.comparison import EQUAL, UNDECIDED, Comparison, Difference
from paraphrase_lab.studies.plan import PlannedRun, Study


@dataclass(frozen=True)
class StudyOutcome:
    study: Study
    finished: tuple[tuple[PlannedRun, RunRow], ...]
    comparison: Comparison
    notes: tuple[str, ...]
    """Name the runs that are missing."""
    verdict: str

    @property
    def is_decided(self) -> bool:
        return all(one.outcome != UNDECIDED for one in self.comparison.differences)

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The finished runs of each arm, by its name."""
        return recipes_of((run.arm.name for run, _ in self.finished), (row for _, row in self.finished))

    @property
    def minutes(self) -> float:
        """Minutes of all finished runs, one after the other."""
        return sum(seconds(row) for _, row in self.finished) / 60


def seconds(row: RunRow) -> float:
    return sum((row.record.get("seconds") or {}).values())


def judge(study: Study) -> StudyOutcome:
    """Compare the runs that have finished, for whatever reason the others have not.

    Raises:
        RunError: too little has finished.
    """
    rows = [(run, run.row()) for run in study.runs]
    finished = tuple((run, row) for run, row in rows if row is not None and row.status == FINISHED)
    notes = [_missing(run, row) for run, row in rows if row is None or row.status != FINISHED]
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
        [row for _, row in finished],
        split=study.split,
        metrics=(study.metric,),
        baseline=baseline,
        by_slice=False,
        names=names,
        equal_within=study.equal_within,
        paired_seeds=study.paired_seeds,
        level=study.look.level,
    )
    return StudyOutcome(study, finished, comparison, tuple(notes), verdict(comparison, baseline))


def _missing(run: PlannedRun, row: RunRow | None) -> str:
    what = f"{run.arm.name} with seed {run.seed} (job {run.number})"
    if row is None:
        return f"{what} has not run."
    error = row.record.get("error")
    return f"{what} is {row.status}" + (f": {error}" if error else ".")


def verdict(comparison: Comparison, baseline: str | None) -> str:
    """Return one sentence on the whole test set."""
    metric = comparison.metric
    found = [one for one in comparison.differences if one.metric == metric]
    if not found:
        return f"{metric} is not defined on these pairs."
    if baseline is not None or len(found) == 1:
        return f"In {metric}, compared with {found[0].a}: {'; '.join(map(_against, found))}."
    shown = [f"{_against(one)}, compared with {one.a}" for one in found if one.better]
    equal, undecided = (sum(one.outcome == outcome for one in found) for outcome in (EQUAL, UNDECIDED))
    shown += [f"{equal} of {len(found)} comparisons are equal"] if equal else []
    shown += [f"{undecided} of {len(found)} comparisons are undecided"] if undecided else []
    return f"In {metric}: {'; '.join(shown)}."


def _against(one: Difference) -> str:
    """Turn the verdict so that b is its subject."""
    if one.better is None:
        return f"{one.b}: {one.verdict}"
    if one.better == one.b:
        return one.verdict
    turned = one.verdict.replace(f"{one.a} is better", f"{one.b} is worse", 1)
    return turned if HIGHER_IS_BETTER[one.metric] else turned.replace(" lower by ", " higher by ", 1)
