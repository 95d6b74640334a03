"""The runs of a study, and which of them are recorded already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from paraphrase_lab.check import CheckedRequest
from paraphrase_lab.configuration.settings import plain_config
from paraphrase_lab.errors import UserError
from paraphrase_lab.metrics.names import FITTED
from paraphrase_lab.runs import fingerprint, own_code
from paraphrase_lab.runs.arms import Arm, arm_with, arms_of
from paraphrase_lab.runs.configuration import flat
from paraphrase_lab.runs.listing import read_runs
from paraphrase_lab.runs.record import FILE_NAME
from paraphrase_lab.runs.row import FINISHED, RunRow
from paraphrase_lab.statistics import FEWEST_SEEDS
from paraphrase_lab.statistics.formatting import IN_POINTS
from paraphrase_lab.statistics.looks import Look, planned_looks
from paraphrase_lab.statistics.power import power_lines
from paraphrase_lab.statistics.verdict import SIGNIFICANCE


@dataclass(frozen=True)
class PlannedRun:
    number: int
    """Number of the job, and name of its directory."""
    arm: Arm
    seed: int
    directory: Path
    configuration: str
    """Fingerprint of its configuration."""
    code: str
    """Fingerprint of the code as it is now."""

    def row(self) -> RunRow | None:
        """Return the record of this configuration; None where its directory is empty or holds another one."""
        if not (self.directory / FILE_NAME).is_file():
            return None
        (row,) = read_runs([str(self.directory)])
        parts = row.record.get("fingerprint_parts")
        return row if parts is None or parts["configuration"] == self.configuration else None

    def is_recorded(self) -> bool:
        """Tell whether the run is finished with this code; a forecast, since the launcher also compares other files."""
        row = self.row()
        return row is not None and row.status == FINISHED and row.record["fingerprint_parts"]["code"] == self.code


@dataclass(frozen=True)
class Study:
    name: str
    question: str
    hypothesis: str
    split: str
    """The pairs that are compared: test, a source of a mixture as in test_paws, or checklist_test."""
    metric: str
    report: tuple[str, ...]
    """Metrics beside the compared one, of other pairs than those of the split by their full names."""
    baseline: str | None
    """Name of the arm that the others are compared with."""
    equal_within: float
    """Differences below it count as equal, in the metric's own unit."""
    paired_seeds: bool
    looks: tuple[Look, ...]
    """Seeds at which the study is judged, and how strictly: one look, unless seeds are added until it is decided."""
    expected_spread: float
    """The assumed standard deviation over the seeds."""
    test_pairs: int | None
    """None: known only once the data are read."""
    budget_minutes: float
    budget_machine: str
    directory: Path
    """The sweep's directory."""
    runs: tuple[PlannedRun, ...]

    def full(self, metric: str) -> str:
        """Return the name that a metric has in a run's record, as test/accuracy."""
        return metric if "/" in metric else f"{self.split}/{metric}"

    @property
    def compared(self) -> str:
        return self.full(self.metric)

    @property
    def reported(self) -> list[str]:
        """The full names of the metrics without a verdict."""
        return [name for name in dict.fromkeys(map(self.full, self.report)) if name != self.compared]

    @property
    def on_validation(self) -> str:
        """The metric by which an arm may be chosen."""
        source = self.split.removeprefix("test") if self.split.startswith("test_") else ""
        return f"{FITTED}{source}/{self.metric}"

    @property
    def arms(self) -> list[Arm]:
        return list({run.arm.name: run.arm for run in self.runs}.values())

    @property
    def look(self) -> Look:
        """The look at the seeds of this plan."""
        return next((look for look in self.looks if look.seeds >= len(self.seeds)), self.looks[-1])

    @property
    def next_seeds(self) -> list[int]:
        """The seeds of the next look; none where this is the last one."""
        later = next((look for look in self.looks if look.seeds > len(self.seeds)), None)
        if later is None:
            return []
        return [*self.seeds, *range(self.seeds[-1] + 1, self.seeds[-1] + 1 + later.seeds - len(self.seeds))]

    @property
    def questions(self) -> int:
        """The number of comparisons."""
        count = len(self.arms)
        return count - 1 if self.baseline else count * (count - 1) // 2

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})


def plan_study(result: CheckedRequest, name: str, question: str, directory: Path, looks: Sequence[Look] | None = None) -> Study:
    """Plan the runs of an ablation.

    Args:
        directory: where the sweep runs.
        looks: those of the study before seeds were added.

    Raises:
        UserError: nothing that could be compared.
    """
    config = result.jobs[0].config
    if config.study is None:
        raise UserError(
            f"ablation={name} says nothing of how it is judged", valid="a study: with hypothesis, metric and budget_minutes"
        )
    if any(job.config.evaluate_test == "never" for job in result.jobs):
        raise UserError("evaluate_test=never leaves a study nothing to report", hint="leave it out")
    study: dict[str, Any] = OmegaConf.to_container(config.study, resolve=True)  # type: ignore[assignment]
    runs = tuple(_planned(result, directory))
    arms = {run.arm.name: run.arm for run in runs}
    if len(arms) < 2:
        raise UserError(
            f"the study {name} compares nothing: with these overrides every run has the same configuration but for the seed",
            hint="leave out the override of its axis",
        )
    baseline = arm_with(arms.values(), study["baseline"]) if study["baseline"] else None
    return Study(
        name, question, study["hypothesis"], study["split"], study["metric"],
        tuple(study["report"]), baseline.name if baseline else None,
        study["equal_within"], study["paired_seeds"], tuple(looks or _looks(study, runs)), study["expected_spread"],
        OmegaConf.select(config, "data.test_pairs") if study["split"] == "test" else None,
        study["budget_minutes"], study["budget_machine"], directory, runs,
    )  # fmt: skip


def _looks(study: Mapping[str, Any], runs: Sequence[PlannedRun]) -> list[Look]:
    seeds = len({run.seed for run in runs})
    if not study["until_decided"]:
        return [Look(seeds, SIGNIFICANCE)]
    if seeds < FEWEST_SEEDS or seeds > study["max_seeds"]:
        raise UserError(
            f"study.until_decided begins with the seeds of the study, which are {seeds}",
            valid=f"{FEWEST_SEEDS} to study.max_seeds={study['max_seeds']} seeds",
            hint=f"seed=0,1,2, or study.max_seeds={max(seeds, 10)}",
        )
    return planned_looks(seeds, study["max_seeds"])


def power_of(study: Study) -> list[str]:
    """Say what the study can find with its seeds; nothing of single models or of a metric that is no share."""
    if study.metric not in IN_POINTS or len(study.seeds) < FEWEST_SEEDS:
        return []
    return power_lines(
        study.metric, len(study.seeds), study.questions, study.expected_spread, study.equal_within, study.test_pairs,
        paired_seeds=study.paired_seeds,
    )  # fmt: skip


def _planned(result: CheckedRequest, directory: Path) -> Iterator[PlannedRun]:
    plains = [plain_config(job.config) for job in result.jobs]
    known = dict.fromkeys(key for plain in plains for key in flat(plain) if not key.startswith("study."))
    arms = arms_of([job.overrides for job in result.jobs], known)
    code = cache(lambda modules: fingerprint.code_fingerprint(own_code.source_files(dict(modules))))
    for number, (plain, arm) in enumerate(zip(plains, arms, strict=True)):
        modules = tuple(own_code.own_modules(plain).items())
        configuration = fingerprint.config_fingerprint(plain)
        yield PlannedRun(number, arm, int(plain["seed"]), directory / str(number), configuration, code(modules))
