"""The search itself: asks for a trial when a slot is free, and tells its value when it arrives."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_sagemaker.errors import JobsRefused, LauncherError, TooExpensive, plain
from hydra_sagemaker.search.jobs import Ended, TrialJobs
from hydra_sagemaker.search.progress import Progress
from hydra_sagemaker.search.samplers import set_constraints
from hydra_sagemaker.search.study import HOURS, OWNER, unfinished

log = logging.getLogger(__name__)
PRUNED = ("Pruned", "TrialPruned")
"""Exceptions, ours and Optuna's, with which a job ends its own trial."""
FEW_TRIALS = 4
"""Failures of fewer trials say nothing about their rate."""


@dataclass
class Limits:
    n_trials: int
    max_failure_rate: float
    max_hours: float | None = None


@dataclass
class Search:
    """`run` continues where an exception, such as a KeyboardInterrupt, has ended it."""

    study: Study
    jobs: TrialJobs
    overrides_of: Callable[[Trial], list[str]]
    limits: Limits
    owner: str = ""
    """Names the sweep's directory, in a study that several may share."""
    first_job: int = 0
    now: Callable[[], float] = time.monotonic
    running: dict[int, Trial] = field(default_factory=dict)
    """By the number of the trial."""
    stopped_because: str = ""
    last_failed: int | None = None
    """The number of the job."""

    def __post_init__(self) -> None:
        self._to_submit = deque(Trial(self.study, one._trial_id) for one in unfinished(self.study, self.owner))
        self.continued = len(self._to_submit)
        self.begun = len(self.study.get_trials(deepcopy=False, states=_BEGUN))
        self.progress = Progress(self.study, self.limits.n_trials, self.jobs.n_jobs, self.now)
        self._hours_before = float(self.study.user_attrs.get(HOURS, 0.0))
        self._started = self.now()
        self._last_error: BaseException | None = None
        self._pruned: set[int] = set()
        """Numbers of running trials that were told to end."""
        self._reported = {number: set(one.intermediate_values) for number, one in _by_number(self.study).items()}
        self.jobs.hears = self._hears

    def run(self) -> None:
        """Run trials until all have ended that the limits allow.

        Raises:
            Exception: the last one of a job, where too many trials have failed.
        """
        while True:
            while self.jobs.free > 0 and (self._to_submit or self._may_begin()) and self._submit_next():
                pass
            if not self.running:
                break
            if not self._to_submit and not self._may_begin():
                self.jobs.expect_no_more()
            for ended in self.jobs.wait():
                self._tell(ended)
            for number in self.running:
                self._look_at(number)
        if self.stopped_because:
            log.warning("%s", self.stopped_because)
        if self._last_error is not None and self._fails_too_often():
            if not self.stopped_because:
                log.error("%d of %d trials have failed", self.progress.failed_here, self.progress.ended_here)
            raise self._last_error

    @property
    def hours(self) -> float:
        """The time that was spent so far, by earlier launches too."""
        return self._hours_before + (self.now() - self._started) / 3600

    def _may_begin(self) -> bool:
        if self.stopped_because or self.begun >= self.limits.n_trials:
            return False
        if self.limits.max_hours is not None and self.hours >= self.limits.max_hours:
            self.stopped_because = f"hydra.sweeper.max_hours={self.limits.max_hours:g} is over: no further trial is begun"
        elif self._fails_too_often():
            failed, ended = self.progress.failed_here, self.progress.ended_here
            rate = self.limits.max_failure_rate
            self.stopped_because = f"{failed} of {ended} trials have failed, more than hydra.sweeper.max_failure_rate={rate:g}"
        return not self.stopped_because

    def _fails_too_often(self) -> bool:
        """Tell so of the trials of this launch: what had failed before may be mended."""
        ended, is_last = self.progress.ended_here, self.progress.ended >= self.limits.n_trials
        return (ended >= FEW_TRIALS or is_last) and self.progress.failed_here > self.limits.max_failure_rate * ended

    def _submit_next(self) -> bool:
        """Submit a trial; return False where the budget has no room for one more before another has ended."""
        if not self._to_submit:
            self._to_submit.append(self.study.ask())
            self._to_submit[0].set_user_attr(OWNER, self.owner)
            self.begun += 1
        trial = self._to_submit[0]
        overrides = self.overrides_of(trial)
        try:
            self.jobs.submit(self.first_job + trial.number, overrides)
        except TooExpensive as refused:
            if not self.running:  # what runs may cost less than it might have; the trial is left to a launch with more money
                self._to_submit.clear()
                self.stopped_because = f"the budget is spent: {refused.problems[0]}"
            return False
        except JobsRefused as refused:  # this combination of values makes no job
            self._to_submit.popleft()
            self._fail(trial, refused)
            return True
        self.running[trial.number] = self._to_submit.popleft()
        self.progress.began(len(self.running))
        return True

    def _tell(self, ended: Ended) -> None:
        trial = self.running[ended.number - self.first_job]
        for name, value in (("job", ended.name), ("seconds", ended.seconds), ("usd", ended.usd)):
            if value not in (None, ""):
                trial.set_user_attr(name, value)
        self._note(trial, ended.reports)
        was_told = trial.number in self._pruned
        try:
            values, constraints = values_of(ended.returned, len(self.study.directions))
        except Exception as error:  # of the job itself, or of its value
            if was_told or type(error).__name__ in PRUNED:
                self.study.tell(trial, state=TrialState.PRUNED)
                self.progress.was_pruned(trial, max(self._reported.get(trial.number) or [-1]))
            else:
                self._fail(trial, error)
        else:
            if constraints is not None:
                set_constraints(trial, constraints)
            self.study.tell(trial, values)
            self.progress.completed(trial, values)
        self.running.pop(trial.number)
        self._pruned.discard(trial.number)
        self._reported.pop(trial.number, None)
        self.progress.ended_one(len(self.running), ended.usd)
        self.study.set_user_attr(HOURS, round(self.hours, 5))

    def _look_at(self, number: int) -> None:
        """Note what a running trial has reported, and end it where the pruner says so."""
        if number in self._pruned:
            return
        trial = self.running[number]
        if self._note(trial, self.jobs.reports(self.first_job + number)) and trial.should_prune():
            if self.jobs.prune(self.first_job + number):
                self._pruned.add(number)

    def _hears(self, job: int, step: int, value: float) -> bool:
        trial = self.running[job - self.first_job]
        return self._note(trial, {step: value}) and trial.should_prune()

    def _note(self, trial: Trial, reports: Mapping[int, float]) -> bool:
        """Store values of new steps; return whether there were any."""
        known = self._reported.setdefault(trial.number, set())
        new = [step for step in sorted(reports) if step not in known and not math.isnan(reports[step])]
        if len(self.study.directions) > 1:
            return False
        for step in new:
            trial.report(reports[step], step)
            known.add(step)
        return bool(new)

    def _fail(self, trial: Trial, error: BaseException) -> None:
        self._last_error, self.last_failed = error, self.first_job + trial.number
        text = plain(f"{type(error).__name__}: {error}".splitlines()[0] if not isinstance(error, LauncherError) else str(error))
        trial.set_user_attr("failure", text[:500])
        self.study.tell(trial, state=TrialState.FAIL)
        self.progress.has_failed(trial, text)


def values_of(returned: JobReturn, count: int) -> tuple[list[float], list[float] | None]:
    """Return the values of the objectives and, where the job returned a mapping with them, the constraints.

    Raises:
        Exception: the job's own; ValueError where it returned something else than `count` numbers.
    """
    if returned.status != JobStatus.COMPLETED:
        raise returned._return_value
    value: Any = returned.return_value
    constraints = None
    if isinstance(value, dict) and "values" in value:
        constraints = [float(one) for one in value.get("constraints", ())]
        value = value["values"]
    many: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    try:
        numbers = [float(one) for one in many]
    except (TypeError, ValueError):
        raise ValueError(f"the job returned {value!r}, which is no number") from None
    if len(numbers) != count:
        raise ValueError(f"the job returned {_counted(numbers)}, and hydra.sweeper.direction wants {count}")
    if any(math.isnan(number) for number in numbers):
        raise ValueError("the job returned nan")
    return numbers, constraints


def _counted(numbers: Sequence[float]) -> str:
    return "1 number" if len(numbers) == 1 else f"{len(numbers)} numbers"


def _by_number(study: Study) -> dict[int, FrozenTrial]:
    return {one.number: one for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))}


_BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
