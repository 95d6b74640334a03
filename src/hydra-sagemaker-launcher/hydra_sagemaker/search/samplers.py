"""Makes the sampler and the pruner that a configuration names."""

from __future__ import annotations

import inspect
import logging
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, QMCSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.components import class_of, given, made, node_values

log = logging.getLogger(__name__)
CONSTRAINTS = "constraints"
"""Attribute of a trial: numbers that its job returned, each of them kept where it is 0 or less."""
SEED = "qmc_seed"
"""Attribute of a study: QMCSampler counts the points of one sequence."""


def check_sampler(node: Any, directions: Sequence[str], n_trials: int) -> None:
    """Check a sampler before a study is opened; warn where it would draw all trials at random.

    Raises:
        LauncherError: as `make_sampler`, or it takes no several objectives.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(directions=list(directions))  # type: ignore[arg-type]
    sampler = make_sampler(node, study)
    if len(directions) > 1:
        study.ask()
        try:
            sampler.sample_relative(study, study.trials[0], {})
        except ValueError:
            raise LauncherError(
                f"hydra.sweeper.direction={','.join(directions)}: {type(sampler).__name__} takes one objective; "
                "hydra/sweeper/sampler=nsgaii or tpe takes several"
            ) from None
    parameter = inspect.signature(type(sampler)).parameters.get("population_size")
    population = node_values(node, "sampler").get("population_size", parameter.default if parameter else None)
    if parameter is not None and isinstance(population, int) and n_trials <= population:
        log.warning(
            "%s draws its first population_size=%d trials at random, and n_trials=%d ends with them: "
            "hydra.sweeper.sampler.population_size=%d, or more trials",
            type(sampler).__name__, population, n_trials, max(2, n_trials // 4),
        )  # fmt: skip


def make_sampler(node: Any, study: Study) -> BaseSampler:
    """Make a sampler; those of the study's trials that were proposed before must not be proposed again by the same seed.

    Raises:
        LauncherError: it is no sampler, has no such argument, or needs a package.
    """
    values = node_values(node, "sampler")
    kind = class_of(values, "sampler", BaseSampler)
    values = given(values, kind, "sampler")
    if issubclass(kind, QMCSampler):
        values["seed"] = _sequence(study, values.get("seed"))
    else:
        values = _reseeded(values, len(study.get_trials(deepcopy=False)))
    if issubclass(kind, TPESampler):
        values.setdefault("constant_liar", True)  # hydra-optuna-sweeper's tpe, where that is installed too, has no such key
    if _needs_function(kind) and values.get("constraints_func") is None:
        values["constraints_func"] = constraints_of
        if _fails_without_constraints(kind) and not _has_constraints(study):
            del values["constraints_func"]  # set_constraints adds it
    return made(kind, values, "sampler")


def make_pruner(node: Any, directions: Sequence[str] = ("minimize",)) -> BasePruner:
    """Make a pruner. Raises LauncherError as `make_sampler` does, and where several objectives leave nothing to prune by."""
    values = node_values(node, "pruner")
    kind = class_of(values, "pruner", BasePruner)
    pruner = made(kind, given(values, kind, "pruner"), "pruner")
    if len(directions) > 1 and not isinstance(pruner, NopPruner):
        raise LauncherError(
            f"hydra.sweeper.pruner: {type(pruner).__name__} has one value to prune by, and hydra.sweeper.direction has "
            f"{len(directions)}: hydra/sweeper/pruner=none"
        )
    return pruner


def set_constraints(trial: Trial, constraints: Sequence[float]) -> None:
    trial.set_user_attr(CONSTRAINTS, list(constraints))
    if hasattr(trial, "set_constraint"):
        for number, value in enumerate(constraints):
            trial.set_constraint(str(number), value)
    elif _fails_without_constraints(type(trial.study.sampler)):
        setattr(trial.study.sampler, "_constraints_func", constraints_of)  # noqa: B010


def constraints_of(trial: FrozenTrial) -> Sequence[float]:
    return trial.user_attrs.get(CONSTRAINTS, ())


def _needs_function(kind: Callable[..., Any]) -> bool:
    """Tell whether a sampler learns of constraints by a function, as before Optuna 5."""
    return not hasattr(Trial, "set_constraint") and "constraints_func" in inspect.signature(kind).parameters


def _fails_without_constraints(kind: type) -> bool:
    """Tell so of Optuna 4's Gaussian process, which takes a function for the promise that every trial has constraints."""
    return kind.__name__ == "GPSampler" and not hasattr(Trial, "set_constraint")


def _has_constraints(study: Study) -> bool:
    return any(CONSTRAINTS in one.user_attrs for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _sequence(study: Study, seed: int | None) -> int:
    """Return the seed of the study's sequence: the given one, or one that every launch finds again."""
    if seed is None:
        seed = study.user_attrs.get(SEED)
    if seed is None:
        seed = random.SystemRandom().randrange(2**32)
        study.set_user_attr(SEED, seed)
    return seed


def _reseeded(values: Mapping[str, Any], trials: int) -> dict[str, Any]:
    """Return arguments with other seeds for each number of trials, those of nested samplers too."""
    found = {}
    for name, value in values.items():
        if name == "seed" and isinstance(value, int) and trials:
            value = (value * 1_000_003 + trials) % 2**32
        found[name] = _reseeded(value, trials) if isinstance(value, Mapping) else value
    return found
