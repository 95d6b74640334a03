"""The trials of a search, read from its stored study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trial:
    number: int
    parameters: dict[str, Any]
    """Values by configuration key."""
    value: float
    """The best value of `monitor`."""
    is_feasible: bool = True
    """It keeps its constraints."""


@dataclass(frozen=True)
class Trials:
    finished: tuple[Trial, ...]
    failed: int
    pruned: int
    maximize: bool

    @property
    def count(self) -> int:
        return len(self.finished) + self.failed + self.pruned

    @property
    def feasible(self) -> tuple[Trial, ...]:
        """Those of the finished trials that keep their constraints."""
        return tuple(trial for trial in self.finished if trial.is_feasible)

    @property
    def best(self) -> Trial:
        """The best feasible trial; the first of equals. Raises ValueError where there is none."""
        return max(self.feasible, key=lambda trial: trial.value if self.maximize else -trial.value)

    def expected_best(self) -> list[float]:
        """Return the best value that is expected of 1, 2, ... trials, up to the number of feasible ones.

        The mean of the best of n trials drawn from these with replacement (Dodge et al. 2019, Show Your Work, section 3): two
        searches are compared at equal budgets by it. It holds for trials that were drawn at random; a sampler that learns from
        earlier trials does better.
        """
        values = sorted((trial.value for trial in self.feasible), reverse=not self.maximize)
        count = len(values)
        return [
            sum(value * ((rank / count) ** drawn - ((rank - 1) / count) ** drawn) for rank, value in enumerate(values, 1))
            for drawn in range(1, count + 1)
        ]


def read_trials(directory: Path, storage: str | None = None) -> Trials | None:
    """Read the trials of the search in this directory; None where it has not come to its end.

    Args:
        storage: as in hydra.sweeper.storage.
    """
    import optuna
    import yaml
    from optuna.trial import TrialState

    from hydra_sagemaker.search.outcome import RESULTS_FILE
    from hydra_sagemaker.search.progress import ended_as
    from hydra_sagemaker.search.study import open_storage
    from hydra_sagemaker.search.values import is_feasible

    if not (file := directory / RESULTS_FILE).is_file():
        return None
    name = yaml.safe_load(file.read_text(encoding="utf-8"))["study"]  # one storage may have many
    is_here = storage is None or storage.startswith("s3://")  # of which the journal here is the original
    study = optuna.load_study(study_name=name, storage=open_storage(None if is_here else storage, directory))
    trials = study.get_trials(deepcopy=False)
    finished = [
        Trial(one.number, dict(one.params), float(one.value), is_feasible(one))
        for one in trials
        if ended_as(one) == TrialState.COMPLETE and one.value is not None
    ]
    failed, pruned = (sum(ended_as(one) == state for one in trials) for state in (TrialState.FAIL, TrialState.PRUNED))
    return Trials(tuple(finished), failed, pruned, study.direction.name == "MAXIMIZE")
