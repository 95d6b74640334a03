"""Makes the sampler and the pruner that a configuration names."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.sweep.hooks import imported

NEEDS = {"CmaEsSampler": "cmaes", "GPSampler": "scipy torch", "QMCSampler": "scipy", "WilcoxonPruner": "scipy"}
CONSTRAINTS = "constraints"
"""Attribute of a trial: numbers that its job returned, each of them kept where it is 0 or less."""


def make_sampler(node: Any, trials: int) -> BaseSampler:
    """Make a sampler; `trials` of the study were proposed before, which another seed must not repeat.

    Raises:
        LauncherError: it is no sampler, has no such argument, or needs a package.
    """
    values = _values(node, "sampler")
    if values.get("seed") is not None and trials:
        values["seed"] = (values["seed"] * 1_000_003 + trials) % 2**32
    kind = _class(values, "sampler", BaseSampler)
    if not hasattr(Trial, "set_constraint") and "constraints_func" in inspect.signature(kind).parameters:  # before Optuna 5
        values.setdefault("constraints_func", constraints_of)
    return _made(kind, values, "sampler")


def make_pruner(node: Any) -> BasePruner:
    """Make a pruner. Raises LauncherError as `make_sampler` does."""
    values = _values(node, "pruner")
    return _made(_class(values, "pruner", BasePruner), values, "pruner")


def set_constraints(trial: Trial, constraints: Sequence[float]) -> None:
    trial.set_user_attr(CONSTRAINTS, list(constraints))
    if hasattr(trial, "set_constraint"):
        for number, value in enumerate(constraints):
            trial.set_constraint(str(number), value)


def constraints_of(trial: FrozenTrial) -> Sequence[float]:
    return trial.user_attrs.get(CONSTRAINTS, ())


def _values(node: Any, kind: str) -> dict[str, Any]:
    values = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    if not isinstance(values, dict) or not isinstance(values.get("_target_"), str):
        raise LauncherError(
            f"hydra.sweeper.{kind}={node}: choose one with hydra/sweeper/{kind}=NAME, or give the _target_ of one of Optuna's"
        )
    return {str(name): value for name, value in values.items()}


def _class(values: dict[str, Any], kind: str, base: type) -> Callable[..., Any]:
    target = values.pop("_target_")
    found = imported(target, f"hydra.sweeper.{kind}._target_", f"a {kind}, as optuna.{kind}s.{base.__name__}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise LauncherError(f"hydra.sweeper.{kind}._target_={target} is no {kind} of Optuna's")
    return found


def _made(kind: Callable[..., Any], values: dict[str, Any], name: str) -> Any:
    shown = getattr(kind, "__name__", str(kind))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return kind(**values)
    except ImportError as error:
        packages = NEEDS.get(shown, getattr(error, "name", None) or "what it names")
        raise LauncherError(f"hydra.sweeper.{name}: {shown} needs a package: pip install {packages}") from None
    except (TypeError, ValueError) as error:
        raise LauncherError(f"hydra.sweeper.{name}: {shown}: {str(error).splitlines()[0]}") from None
