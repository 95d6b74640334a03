"""The values of a trial, as its job returned them, and whether they keep the constraints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.samplers import CONSTRAINTS

TOLD = "told_to_end"
"""Attribute of a trial that was told to end: it counts as pruned, whatever its job returns and whenever it ends."""
SHOWN_LETTERS = 80
WITH_CONSTRAINTS = 'return {"values": [loss], "constraints": [memory - limit]}'


class WrongValue(LauncherError):
    """A job has returned something that is no value of the objective."""


def values_of(returned: JobReturn, count: int) -> tuple[list[float], list[float]]:
    """Return the values of the objectives and, where the job returned a mapping with them, the constraints.

    Raises:
        Exception: the job's own; WrongValue where it returned something else than `count` numbers.
    """
    if returned.status != JobStatus.COMPLETED:
        raise returned._return_value
    value: Any = returned.return_value
    constraints: list[float] = []
    if isinstance(value, dict) and "values" in value:
        constraints, value = _constraints(value.get("constraints", ())), value["values"]
    if value is None:
        raise WrongValue("the job returned None: return the value of the objective, as in `return loss`")
    numbers = _numbers(value if isinstance(value, list | tuple) else [value])
    if numbers is None:
        raise WrongValue(f"the job returned {_shown(value)}, which is no number: return the objective, as in `return loss`")
    if len(numbers) != count:
        raise WrongValue(f"the job returned {_counted(numbers)}, and hydra.sweeper.direction wants {count}")
    if any(math.isnan(number) for number in numbers):
        raise WrongValue("the job returned nan")
    return numbers, constraints


def is_feasible(trial: FrozenTrial) -> bool:
    """Tell whether a trial keeps its constraints; one that has none does."""
    stored = [*trial.user_attrs.get(CONSTRAINTS, ())]
    for name, value in trial.system_attrs.items():  # of another sweeper: a list before Optuna 5, a number each since
        if name.partition(":")[0] == "constraints":
            stored += value if isinstance(value, list | tuple) else [value]
    return all(value <= 0 for value in stored)


def counts_as_complete(trial: FrozenTrial) -> bool:
    """Tell so of a completed trial; the ones that a Wilcoxon pruner ended are stored as such, for the samplers."""
    return not trial.user_attrs.get(TOLD)


def count_of_constraints(study: Study) -> int | None:
    """Return the number of constraints of the newest completed trial, None where none has completed."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((len(one.user_attrs.get(CONSTRAINTS, ())) for one in reversed(complete) if counts_as_complete(one)), None)


def check_count(constraints: Sequence[float], before: int | None) -> None:
    """Raise WrongValue where trials have different numbers of constraints: samplers cannot compare them."""
    if before is not None and len(constraints) != before:
        raise WrongValue(
            f"the job returned {len(constraints)} constraints, and an earlier trial {before}: "
            f"each trial returns as many, as in `{WITH_CONSTRAINTS}`"
        )


def _constraints(value: object) -> list[float]:
    numbers = _numbers(value) if isinstance(value, list | tuple) else None
    if numbers is None or any(math.isnan(number) for number in numbers):
        raise WrongValue(
            f"the job returned constraints={_shown(value)}: they are a list of numbers, each kept where it is 0 or less, "
            f"as in `{WITH_CONSTRAINTS}`"
        )
    return numbers


def _numbers(values: Sequence[Any]) -> list[float] | None:
    try:
        return [float(one) for one in values]
    except (TypeError, ValueError, OverflowError):
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."


def _counted(numbers: Sequence[float]) -> str:
    return "1 number" if len(numbers) == 1 else f"{len(numbers)} numbers"
