"""Jobs of a search in a simulated clock: each takes the seconds that it is told, in slots that are free or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study, create_study
from optuna.trial import Trial

from hydra_sagemaker.search.jobs import Ended, TrialJobs, deaf
from hydra_sagemaker.search.search import Limits, Search


class SimulatedJobs(TrialJobs):
    """Ends each job after `seconds(number)` with what `value(number)` returns or raises."""

    def __init__(self, n_jobs: int, seconds: Callable[[int], float], value: Callable[[int], object] = float) -> None:
        self.n_jobs, self.seconds, self.value = n_jobs, seconds, value
        self.clock = 0.0
        self.running: dict[int, float] = {}
        self.submitted: list[int] = []
        self.overrides: dict[int, list[str]] = {}
        self.told: dict[int, dict[int, float]] = {}
        self.hears = deaf
        self.refuse: Callable[[int], None] = lambda number: None
        self.ended: list[Ended] = []

    @property
    def open(self) -> set[int]:
        return {*self.running, *(one.number for one in self.ended)}

    def now(self) -> float:
        return self.clock

    @property
    def free(self) -> int:
        return self.n_jobs - len(self.open)

    def submit(self, number: int, overrides: Sequence[str]) -> None:
        self.refuse(number)
        assert number not in self.open and self.free > 0
        self.submitted.append(number)
        self.overrides[number] = list(overrides)
        self.running[number] = self.clock + self.seconds(number)

    def wait(self) -> list[Ended]:
        self.ended = self.ended or self.end_one()
        return list(self.ended)

    def taken(self, number: int) -> None:
        self.ended = [one for one in self.ended if one.number != number]

    def end_one(self) -> list[Ended]:
        number = min(self.running, key=lambda one: self.running[one])
        self.clock = self.running.pop(number)
        told = self.told.pop(number, {})
        value = returned(lambda: self.value(number))
        return [Ended(number, value, told, f"job-{number}", self.seconds(number), 0.5)]


def returned(value: Callable[[], object]) -> JobReturn:
    try:
        return JobReturn(status=JobStatus.COMPLETED, _return_value=value())
    except Exception as error:
        return JobReturn(status=JobStatus.FAILED, _return_value=error)


def study_in(
    storage: BaseStorage | None = None, sampler: BaseSampler | None = None, directions: Sequence[str] = ("minimize",)
) -> Study:
    """Create the study "study", or load it where the storage has it."""
    sampler, storage = sampler or RandomSampler(seed=0), storage or InMemoryStorage()
    wanted: Any = list(directions)
    return create_study(study_name="study", storage=storage, sampler=sampler, directions=wanted, load_if_exists=True)


def draw(trial: Trial) -> list[str]:
    return [f"x={trial.suggest_float('x', 0, 1)}"]


def search(
    jobs: SimulatedJobs, n_trials: int, study: Study | None = None, failures: float = 0.5, hours: float | None = None
) -> Search:
    return Search(study or study_in(), jobs, draw, Limits(n_trials, failures, hours), now=jobs.now)
