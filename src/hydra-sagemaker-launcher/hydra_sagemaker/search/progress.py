"""Counts the trials of a search, and says after each how far it is."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_sagemaker.display.tables import duration
from hydra_sagemaker.pricing.cost import money
from hydra_sagemaker.search.values import counts_as_complete, is_feasible

log = logging.getLogger(__name__)
ENDED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


class Progress:
    """Knows the trials so far, without looking at all of them again; counting one a second time changes nothing."""

    def __init__(self, study: Study, n_trials: int, n_jobs: int, now: Callable[[], float]) -> None:
        self.n_trials, self.n_jobs, self.now = n_trials, n_jobs, now
        self.is_single = len(study.directions) == 1
        self.maximize = study.directions[0] == StudyDirection.MAXIMIZE
        self.best: tuple[int, float] | None = None
        """Number and value of the best trial that keeps its constraints, of a study with one objective."""
        self.running = 0
        self.busy_seconds = 0.0
        """The sum over all slots, in this launch."""
        self._numbers: dict[TrialState, set[int]] = {state: set() for state in ENDED}
        self._usd: dict[int, float] = {}
        for trial in study.get_trials(deepcopy=False):
            self._count(trial)
        self._before, self._failed_before = self.ended, self.failed
        self._started = self._changed = now()

    @property
    def usd(self) -> float:
        """The cost of all trials, those among them that are left to a later launch."""
        return math.fsum(self._usd.values())

    @property
    def complete(self) -> int:
        return len(self._numbers[TrialState.COMPLETE])

    @property
    def failed(self) -> int:
        return len(self._numbers[TrialState.FAIL])

    @property
    def pruned(self) -> int:
        return len(self._numbers[TrialState.PRUNED])

    @property
    def ended(self) -> int:
        return self.complete + self.failed + self.pruned

    @property
    def ended_here(self) -> int:
        """Those of this launch."""
        return self.ended - self._before

    @property
    def failed_here(self) -> int:
        return self.failed - self._failed_before

    @property
    def seconds(self) -> float:
        return self.now() - self._started

    @property
    def busy_share(self) -> float:
        """The share of the slots' time in which a trial ran, 0-1."""
        return self.busy_seconds / (self.seconds * self.n_jobs) if self.seconds else 0.0

    def began(self, running: int) -> None:
        self._run(running)

    def ended_one(self, trial: FrozenTrial, running: int) -> None:
        """Count a trial that has ended; `running` others run."""
        is_best = self._count(trial)
        self._run(running)
        what = f"trial {trial.number} ({shown_params(trial)})"
        if trial.state == TrialState.FAIL:
            log.warning("%s failed: %s", what, (trial.user_attrs.get("failure") or "?").splitlines()[0])
        elif ended_as(trial) == TrialState.PRUNED:
            log.info("%s: pruned%s", what, f" after step {trial.last_step}" if trial.last_step is not None else "")
        else:
            shown = ", ".join(f"{value:.6g}" for value in trial.values)
            log.info("%s: %s%s", what, shown, self._judgement(trial, is_best))
        log.info("  %s", self.line())

    def left_one(self, trial: FrozenTrial, running: int) -> None:
        """Take note of a trial that is left to a later launch."""
        self._count(trial)
        self._run(running)

    def line(self) -> str:
        """Describe all trials in a line."""
        parts = [f"{self.ended} of {self.n_trials} trials"]
        parts += [f"{self.running} run"] if self.running else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.pruned} pruned"] if self.pruned else []
        parts += [f"best {self.best[1]:.6g} (trial {self.best[0]})"] if self.best else []
        parts += [money(usd)] if (usd := self.usd) else []
        left = self.n_trials - self.ended
        if self.ended_here and left > 0:
            parts.append(f"about {duration(self.seconds / self.ended_here * left)} left")
        return ", ".join(parts)

    def _count(self, trial: FrozenTrial) -> bool:
        """Count a trial; return whether it is the best so far."""
        if (usd := trial.user_attrs.get("usd")) is not None:
            self._usd[trial.number] = usd
        state = ended_as(trial)
        if state in self._numbers:
            self._numbers[state].add(trial.number)
        if state != TrialState.COMPLETE or not self.is_single or trial.value is None or not is_feasible(trial):
            return False
        if self.best is None or (trial.value > self.best[1] if self.maximize else trial.value < self.best[1]):
            self.best = trial.number, trial.value
        return self.best[0] == trial.number

    def _judgement(self, trial: FrozenTrial, is_best: bool) -> str:
        if not is_feasible(trial):
            return ", which breaks its constraints"
        return ", the best so far" if is_best else ""

    def _run(self, running: int) -> None:
        now = self.now()
        busy = self.busy_seconds + min(self.running, self.n_jobs) * (now - self._changed)
        self.busy_seconds, self.running, self._changed = busy, running, now


def ended_as(trial: FrozenTrial) -> TrialState:
    """Return the state as the user is told: Optuna is told a value of some pruned trials, and keeps them as complete."""
    is_told = trial.state == TrialState.COMPLETE and not counts_as_complete(trial)
    return TrialState.PRUNED if is_told else trial.state


def shown_params(trial: Trial | FrozenTrial) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in trial.params.items())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
