"""Stores what trials report while they run, and asks the pruner after each value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from statistics import mean

from optuna.pruners import NopPruner, PercentilePruner, ThresholdPruner, WilcoxonPruner
from optuna.study import Study
from optuna.trial import Trial, TrialState

from hydra_sagemaker.search.jobs import TrialJobs
from hydra_sagemaker.search.values import TOLD

REMEMBER_NOTHING = (PercentilePruner, ThresholdPruner, WilcoxonPruner)
"""Pruners that store nothing of what they are asked: of a trial that has ended they need not be."""
FIRST_ADVICE = (
    "no job has reported a value, so that nothing was pruned: call hydra_sagemaker.report(step, value) in the job, "
    "or hydra/sweeper/pruner=none"
)


class Pruning:
    def __init__(self, study: Study) -> None:
        self.study = study
        self.is_single = len(study.directions) == 1
        self.is_on = self.is_single and not isinstance(study.pruner, NopPruner)
        known = study.get_trials(deepcopy=False)
        self.has_heard = any(one.intermediate_values for one in known)
        """Some trial has reported something, in an earlier launch too."""
        running = [one for one in known if one.state == TrialState.RUNNING]
        self._steps = {one.number: set(one.intermediate_values) for one in running}
        self._told = {one.number for one in running if one.user_attrs.get(TOLD)}
        self._condemned: set[int] = set()

    def note(self, trial: Trial, reports: Mapping[int, float], *, has_ended: bool = False) -> bool:
        """Store the values of new steps; return whether the trial is to end.

        The pruner is asked after each step: halving compares values of the same step, however many arrive together.
        """
        self.has_heard = self.has_heard or bool(reports)
        if not self.is_single:
            return False
        known = self._steps.setdefault(trial.number, set())
        is_asked = self.is_on and not (has_ended and isinstance(self.study.pruner, REMEMBER_NOTHING))
        for step in sorted(reports.keys() - known):
            trial.report(reports[step], step)
            known.add(step)
            if is_asked and trial.number not in self._condemned and _is_to_end(trial):
                self._condemned.add(trial.number)
        return trial.number in self._condemned

    def look_at(self, trial: Trial, job: int, jobs: TrialJobs) -> None:
        """Note what a running trial has reported, and tell its job to end where it is to."""
        if trial.number not in self._told and self.note(trial, jobs.reports(job)) and jobs.prune(job):
            self.told(trial)

    def told(self, trial: Trial) -> None:
        """Take down that a trial was told to end, for later launches too."""
        self._told.add(trial.number)
        trial.set_user_attr(TOLD, True)

    def is_told(self, number: int) -> bool:
        return number in self._told

    def forget(self, number: int) -> None:
        self._steps.pop(number, None)
        self._told.discard(number)
        self._condemned.discard(number)

    def estimate(self, trial: Trial) -> float | None:
        """Return the value with which a trial that was ended counts for the samplers; None: the one of its last step.

        The steps of a Wilcoxon pruner are seeds or folds, so that one alone is noise: Optuna advises the mean of them.
        """
        if not isinstance(self.study.pruner, WilcoxonPruner):
            return None
        values = self.study._storage.get_trial(trial._trial_id).intermediate_values.values()
        finite = [value for value in values if math.isfinite(value)]
        return mean(finite) if finite else None


def _is_to_end(trial: Trial) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of values that are all nan
        return trial.should_prune()
