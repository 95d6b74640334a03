"""Counts the trials of a search, and says after each how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_sagemaker.display.tables import duration
from hydra_sagemaker.pricing.cost import money

log = logging.getLogger(__name__)


class Progress:
    """Knows the trials so far, without looking at all of them again."""

    def __init__(self, study: Study, n_trials: int, n_jobs: int, now: Callable[[], float]) -> None:
        self.n_trials, self.n_jobs, self.now = n_trials, n_jobs, now
        self.is_single = len(study.directions) == 1
        self.maximize = study.directions[0] == StudyDirection.MAXIMIZE
        self.best: tuple[int, float] | None = None
        """Number and value of the best trial, of a study with one objective."""
        self.complete = self.failed = self.pruned = self.running = 0
        self.usd = 0.0
        self.busy_seconds = 0.0
        """The sum over all slots, in this launch."""
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)):
            self._count(trial)
        self._before, self._failed_before = self.ended, self.failed
        self._started = self._changed = now()

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

    def ended_one(self, running: int, usd: float | None) -> None:
        self._run(running)
        self.usd += usd or 0.0
        log.info("  %s", self.line())

    def completed(self, trial: Trial, values: Sequence[float]) -> None:
        self.complete += 1
        shown = ", ".join(f"{value:.6g}" for value in values)
        is_best = self.is_single and self._is_best(trial.number, values[0])
        log.info("trial %d (%s): %s%s", trial.number, shown_params(trial), shown, ", the best so far" if is_best else "")

    def was_pruned(self, trial: Trial, step: int) -> None:
        self.pruned += 1
        log.info("trial %d (%s): pruned%s", trial.number, shown_params(trial), f" after step {step}" if step >= 0 else "")

    def has_failed(self, trial: Trial, reason: str) -> None:
        self.failed += 1
        log.warning("trial %d (%s) failed: %s", trial.number, shown_params(trial), reason.splitlines()[0])

    def line(self) -> str:
        """Describe all trials in a line."""
        parts = [f"{self.ended} of {self.n_trials} trials"]
        parts += [f"{self.running} run"] if self.running else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.pruned} pruned"] if self.pruned else []
        parts += [f"best {self.best[1]:.6g} (trial {self.best[0]})"] if self.best else []
        parts += [money(self.usd)] if self.usd else []
        left = self.n_trials - self.ended
        if self.ended_here and left > 0:
            parts.append(f"about {duration(self.seconds / self.ended_here * left)} left")
        return ", ".join(parts)

    def _count(self, trial: FrozenTrial) -> None:
        self.usd += trial.user_attrs.get("usd", 0.0)
        if trial.state == TrialState.FAIL:
            self.failed += 1
        elif trial.state == TrialState.PRUNED:
            self.pruned += 1
        else:
            self.complete += 1
            if self.is_single and trial.value is not None:
                self._is_best(trial.number, trial.value)

    def _is_best(self, number: int, value: float) -> bool:
        if self.best is not None and not (value > self.best[1] if self.maximize else value < self.best[1]):
            return False
        self.best = number, value
        return True

    def _run(self, running: int) -> None:
        now = self.now()
        self.busy_seconds += min(self.running, self.n_jobs) * (now - self._changed)
        self.running, self._changed = running, now


def shown_params(trial: Trial | FrozenTrial) -> str:
    return " ".join(f"{name}={_short(value)}" for name, value in trial.params.items())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
