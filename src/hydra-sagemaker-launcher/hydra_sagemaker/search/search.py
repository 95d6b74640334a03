"""The search itself: asks for a trial when a slot is free, and tells its value when it arrives."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_sagemaker.display.tables import counted
from hydra_sagemaker.errors import JobsRefused, TooExpensive
from hydra_sagemaker.job.result import PRUNED
from hydra_sagemaker.search.endings import kept
from hydra_sagemaker.search.jobs import Ended, Left, TrialJobs
from hydra_sagemaker.search.limits import Limits
from hydra_sagemaker.search.progress import Progress
from hydra_sagemaker.search.pruning import FIRST_ADVICE, Pruning
from hydra_sagemaker.search.samplers import set_constraints
from hydra_sagemaker.search.space import NoJob
from hydra_sagemaker.search.study import HOURS, OWNER, unfinished
from hydra_sagemaker.search.tell import count_begun, is_exhausted, reason_of, told
from hydra_sagemaker.search.values import TOLD, check_count, count_of_constraints, values_of

log = logging.getLogger(__name__)


@dataclass
class Search:
    """`run` continues where an exception, such as a KeyboardInterrupt, has ended it."""

    study: Study
    jobs: TrialJobs
    overrides_of: Callable[[Trial], list[str]]
    limits: Limits
    owner: str = ""
    """Names the sweep's directory."""
    is_shared: bool = False
    """Searches with other owners may use the storage at the same time."""
    first_job: int = 0
    now: Callable[[], float] = time.monotonic
    running: dict[int, Trial] = field(default_factory=dict)
    """By the number of the trial."""
    stopped_because: str = ""
    last_failed: int | None = None
    """The number of the job."""

    def __post_init__(self) -> None:
        self._to_submit: deque[Trial] = deque()
        self.continued = len(self._unfinished())
        self.begun = 0
        self.progress = Progress(self.study, self.limits.n_trials, self.jobs.n_jobs, self.now)
        self.pruning = Pruning(self.study)
        self._hours_before = float(self.study.user_attrs.get(HOURS, 0.0))
        self._started = self.now()
        self._last_error: BaseException | None = None
        self._left: dict[int, Left] = {}  # trials that a later launch has to end
        self._is_exhausted = False  # the sampler has nothing left to propose
        self._constraints = count_of_constraints(self.study)
        self.jobs.hears = self._hears

    def run(self) -> None:
        """Run trials until all have ended that the limits allow.

        Raises:
            Exception: the last one of a job, where too many trials have failed.
            LauncherError: a file or the database could not be written.
        """
        with kept(self._store_hours):
            self._work()
        self._say_how_it_ended()
        failed, ended, is_last = self._failures()
        fails = self.limits.fails_too_often(failed, ended, is_last=is_last) or Left.SKIPPED in self._left.values()
        if self._last_error is not None and fails:
            if not self.stopped_because:
                log.error("%d of %d trials have failed", failed, ended)
            raise self._last_error

    def _work(self) -> None:
        self._recover()
        while True:
            while self.jobs.free > 0 and self._may_submit() and self._submit_next():
                pass
            if not (self.running or self.jobs.open):
                return
            if not self._may_submit():
                self.jobs.expect_no_more()
            for ended in self.jobs.wait():
                self._tell(ended)
            for number, trial in self.running.items():
                self.pruning.look_at(trial, self.first_job + number, self.jobs)

    def _recover(self) -> None:
        """Return to the trials that an interruption has left anywhere between the study, the queue and the jobs."""
        self.begun = count_begun(self.study)
        self._to_submit.clear()
        for one in self._unfinished():
            if one.number in self.running or one.number in self._left:
                continue
            trial = Trial(self.study, one._trial_id)
            if self.first_job + one.number in self.jobs.open:
                self.running[one.number] = trial
            elif self.pruning.is_told(one.number):
                self._prune(trial)
                self._ended(trial)
            else:
                self._to_submit.append(trial)

    def _unfinished(self) -> list[FrozenTrial]:
        return unfinished(self.study, self.owner if self.is_shared else None)

    def _say_how_it_ended(self) -> None:
        if self.stopped_because:
            log.warning("%s", self.stopped_because)
        elif self._is_exhausted:
            log.info("the sampler has proposed all of its space")
        if self._left:
            number, why = next(iter(self._left.items()))
            several = f"{counted(len(self._left), 'trial')} without a result, the first of them trial {number}: {why.value}"
            log.warning("%s; the same command gets it", several)
        if self.pruning.is_on and not self.pruning.has_heard and self.jobs.can_hear and self.progress.ended_here:
            log.warning("%s", FIRST_ADVICE)

    @property
    def hours(self) -> float:
        """The time that was spent so far, by earlier launches too."""
        return self._hours_before + (self.now() - self._started) / 3600

    def _store_hours(self) -> None:
        self.study.set_user_attr(HOURS, round(self.hours, 5))

    def line(self) -> str:
        return self.progress.line()

    def _may_submit(self) -> bool:
        """Tell whether a trial may begin, be it a new one or one that an earlier launch has left."""
        if self.is_shared and not self.stopped_because:
            self.begun = count_begun(self.study)
        can_ask = self.begun < self.limits.n_trials and not self._is_exhausted
        if self.stopped_because or not (self._to_submit or can_ask):
            return False
        failed, ended, is_last = self._failures()
        self.stopped_because = self.limits.reached(self.hours, failed, ended, is_last=is_last)
        if not self.stopped_because and not self._to_submit:
            self._is_exhausted = is_exhausted(self.study)
        return not self.stopped_because and bool(self._to_submit or not self._is_exhausted)

    def _failures(self) -> tuple[int, int, bool]:
        """Return how many trials of this launch have failed, how many have ended, and whether those of all launches have."""
        away = sum(reason == Left.AWAY for reason in self._left.values())
        is_last = self.progress.ended + away >= self.limits.n_trials
        return self.progress.failed_here + away, self.progress.ended_here + away, is_last

    def _submit_next(self) -> bool:
        """Submit a trial; return False where the budget has no room for one more before another has ended."""
        if not self._to_submit:
            self._to_submit.append(self.study.ask())
            self._to_submit[0].set_user_attr(OWNER, self.owner)
            self.begun += 1
        trial = self._to_submit[0]
        try:
            self.jobs.submit(self.first_job + trial.number, self.overrides_of(trial))
        except TooExpensive as refused:
            if not self.running:  # what runs may cost less than it might have; the trial is left to a launch with more money
                self.stopped_because = f"the budget is spent: {refused.problems[0]}"
            return False
        except (JobsRefused, NoJob) as refused:  # this combination of values makes no job
            self._to_submit.popleft()
            if isinstance(refused, NoJob) and refused.is_pruned:
                self._prune(trial)
            else:
                self._fail(trial, refused)
            self._ended(trial)
            return True
        self.running[trial.number] = self._to_submit.popleft()
        self.progress.began(len(self.running))
        return True

    def _tell(self, ended: Ended) -> None:
        """Store how a trial has ended; a second call, after an interruption of the first, does what is left to do."""
        trial = self.running.get(ended.number - self.first_job)
        if trial is not None:
            if not self.study._storage.get_trial(trial._trial_id).state.is_finished():
                self._note_end(trial, ended)
                if ended.left is not None:
                    self._leave(trial, ended, ended.left)
                else:
                    self._judge(trial, ended)
            self._ended(trial)
        self.jobs.taken(ended.number)

    def _note_end(self, trial: Trial, ended: Ended) -> None:
        for name, value in (("job", ended.name), ("seconds", ended.seconds), ("usd", ended.usd)):
            if value not in (None, ""):
                trial.set_user_attr(name, value)
        self.pruning.note(trial, ended.reports, has_ended=True)

    def _judge(self, trial: Trial, ended: Ended) -> None:
        """Tell the value, the failure, or that it was pruned: one that was told to end is, whatever it returns."""
        error = ended.returned._return_value
        if ended.is_pruned or self.pruning.is_told(trial.number) or type(error).__name__ in PRUNED:
            self._prune(trial)
            return
        try:
            values, constraints = values_of(ended.returned, len(self.study.directions))
            check_count(constraints, self._constraints)
        except Exception as error:  # of the job itself, or of its value
            self._fail(trial, error)
            return
        if constraints:
            set_constraints(trial, constraints)
        self._constraints = len(constraints)
        self._is_exhausted |= told(self.study, trial, values)

    def _leave(self, trial: Trial, ended: Ended, why: Left) -> None:
        """Leave a trial to a later launch: nothing is known of its values."""
        self._left[trial.number] = why
        if why == Left.AWAY:
            self._last_error, self.last_failed = ended.returned._return_value, ended.number
        elif not self.stopped_because:
            self.stopped_because = f"trial {trial.number}: {why.value}; no further trial is begun"

    def _prune(self, trial: Trial) -> None:
        value = self.pruning.estimate(trial)
        if value is not None:
            trial.set_user_attr(TOLD, True)  # it counts as pruned
        self._is_exhausted |= told(self.study, trial, value, None if value is not None else TrialState.PRUNED)

    def _fail(self, trial: Trial, error: BaseException) -> None:
        self._last_error, self.last_failed = error, self.first_job + trial.number
        trial.set_user_attr("failure", reason_of(error))
        self._is_exhausted |= told(self.study, trial, None, TrialState.FAIL)

    def _ended(self, trial: Trial) -> None:
        """Count a trial that is done with in this launch. Its number is given up last: nothing before must be lost."""
        running = len(self.running) - (trial.number in self.running)
        count = self.progress.left_one if trial.number in self._left else self.progress.ended_one
        count(self.study._storage.get_trial(trial._trial_id), running)
        self._store_hours()
        self.pruning.forget(trial.number)
        self.running.pop(trial.number, None)

    def _hears(self, job: int, step: int, value: float) -> bool:
        trial = self.running[job - self.first_job]
        if is_to_end := self.pruning.note(trial, {step: value}):
            self.pruning.told(trial)
        return is_to_end
