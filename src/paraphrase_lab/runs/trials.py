"""The trials of a search, read from its stored study."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    number: int
    parameters: dict[str, Any]
    """Values by configuration key."""
    value: float
    """The best value of `monitor`."""


@dataclass(frozen=True)
class Trials:
    finished: tuple[Trial, ...]
    failed: int
    maximize: bool
    logarithmic: frozenset[str]
    """Parameters that were drawn on a logarithmic scale."""

    @property
    def count(self) -> int:
        return len(self.finished) + self.failed

    @property
    def best(self) -> Trial:
        """The best finished trial; the first of equals."""
        return max(self.finished, key=lambda trial: trial.value if self.maximize else -trial.value)

    def expected_best(self) -> list[float]:
        """Return the best value that is expected of 1, 2, ... trials, up to the number of finished ones.

        The mean of the best of n trials drawn from these with replacement (Dodge et al. 2019, Show Your Work, section 3): two
        searches are compared at equal budgets by it. It holds for trials that were drawn at random; a sampler that learns from
        earlier trials does better.
        """
        values = sorted((trial.value for trial in self.finished), reverse=not self.maximize)
        count = len(values)
        return [
            sum(value * ((rank / count) ** drawn - ((rank - 1) / count) ** drawn) for rank, value in enumerate(values, 1))
            for drawn in range(1, count + 1)
        ]


def read_trials(storage: str, study_name: str) -> Trials:
    """Read the trials of a study.

    Args:
        storage: its address, as sqlite:///FILE.
    """
    import optuna

    study = optuna.load_study(study_name=study_name, storage=storage)
    complete = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    failed = sum(trial.state == optuna.trial.TrialState.FAIL for trial in study.trials)
    logarithmic = {key for trial in complete for key, drawn in trial.distributions.items() if "Log" in type(drawn).__name__}
    finished = [Trial(trial.number, dict(trial.params), float(trial.value)) for trial in complete if trial.value is not None]
    return Trials(tuple(finished), failed, study.direction.name == "MAXIMIZE", frozenset(logarithmic))
