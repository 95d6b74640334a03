"""Tells Optuna how a trial has ended, and hears from its sampler that nothing is left to propose."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import Study
from optuna.trial import Trial, TrialState

from hydra_sagemaker.errors import LauncherError, plain

BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def told(study: Study, trial: Trial, values: float | Sequence[float] | None = None, state: TrialState | None = None) -> bool:
    """Tell the end of a trial; return whether the sampler wants no further one.

    GridSampler and BruteForceSampler call `study.stop()` for that, which Optuna allows within `study.optimize` alone: it raises
    after the trial was stored.
    """
    try:
        study.tell(trial, values, state, skip_if_finished=True)
    except RuntimeError as error:
        if "Study.stop" not in str(error):
            raise
        return True
    return False


def is_exhausted(study: Study) -> bool:
    """Tell whether the sampler knows beforehand that it has proposed everything, as after an earlier launch."""
    asked = getattr(study.sampler, "is_exhausted", None)
    return asked is not None and bool(asked(study))


def count_begun(study: Study) -> int:
    """Return the number of trials that have begun: all but enqueued ones."""
    return len(study.get_trials(deepcopy=False, states=BEGUN))


def reason_of(error: BaseException) -> str:
    """Return why a job failed, as it is stored with its trial."""
    text = str(error) if isinstance(error, LauncherError) else f"{type(error).__name__}: {error}".splitlines()[0]
    return plain(text)[:500]
