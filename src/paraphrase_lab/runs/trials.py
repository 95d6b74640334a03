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
