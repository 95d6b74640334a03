"""Makes Optuna's objects from nodes of the configuration: `_target_` and arguments, in which nodes may be nested."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from omegaconf import DictConfig, OmegaConf
from optuna.exceptions import ExperimentalWarning

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.settings import PRUNERS, SAMPLERS
from hydra_sagemaker.sweep.hooks import imported

NEEDS = {"CmaEsSampler": "cmaes", "GPSampler": "scipy torch", "QMCSampler": "scipy", "WilcoxonPruner": "scipy"}
OF_ANOTHER_SWEEPER = {
    "consider_prior": True, "prior_weight": 1.0, "consider_magic_clip": True, "consider_endpoints": False,
    "warn_independent_sampling": True, "x0": None, "independent_sampler": None, "consider_pruned_trials": False,
    "restart_strategy": None, "inc_popsize": 2, "use_separable_cma": False, "source_trials": None, "swapping_prob": 0.5,
    "constraints_func": None,
}  # fmt: skip
"""Fields of hydra-optuna-sweeper's samplers: where it is installed too, `hydra/sweeper/sampler=tpe` may be its own."""


def node_values(node: Any, kind: str) -> dict[str, Any]:
    """Return a node's fields. Raises LauncherError where it names no class."""
    values = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    if not isinstance(values, dict) or not isinstance(values.get("_target_"), str):
        raise LauncherError(
            f"hydra.sweeper.{kind}={node}: choose one with hydra/sweeper/{kind}=NAME, or give the _target_ of one of Optuna's"
        )
    return {str(name): value for name, value in values.items()}


def class_of(values: Mapping[str, Any], kind: str, base: type) -> type:
    target = values["_target_"]
    found = imported(target, f"hydra.sweeper.{kind}._target_", f"a {kind}, as optuna.{kind}s.{base.__name__}")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise LauncherError(f"hydra.sweeper.{kind}._target_={target} is no {kind} of Optuna's")
    return found


def given(values: Mapping[str, Any], kind: type, name: str) -> dict[str, Any]:
    """Return the arguments that were meant for this class.

    A `_target_` that was typed replaces the class alone: fields of the chosen node stay, and are left out at their defaults.

    Raises:
        LauncherError: the class has no such argument.
    """
    stale = OF_ANOTHER_SWEEPER | _replaced(values)
    found = {key: one for key, one in values.items() if key != "_target_" and not (key in stale and stale[key] == one)}
    known = inspect.signature(kind).parameters
    if any(one.kind == one.VAR_KEYWORD for one in known.values()):
        return found
    for key in found.keys() - known.keys():
        near = get_close_matches(key, known, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Valid: {', '.join(known) or 'none'}"
        raise LauncherError(f"hydra.sweeper.{name}: {kind.__name__} has no argument '{key}'. {hint}")
    return found


def made(kind: Callable[..., Any], values: Mapping[str, Any], name: str) -> Any:
    """Call a class with its arguments. Raises LauncherError where it does not take them, or needs a package."""
    shown = getattr(kind, "__name__", str(kind))
    arguments = {key: _instance(one, f"{name}.{key}") for key, one in values.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return kind(**arguments)
    except ImportError as error:
        packages = NEEDS.get(shown, getattr(error, "name", None) or "what it names")
        raise LauncherError(f"hydra.sweeper.{name}: {shown} needs a package: pip install {packages}") from None
    except (TypeError, ValueError, AssertionError) as error:
        text = str(error).splitlines()
        raise LauncherError(f"hydra.sweeper.{name}: {shown}: {text[0] if text else type(error).__name__}") from None


def _instance(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_instance(one, name) for one in value]
    if not isinstance(value, dict):
        return value
    if "_target_" not in value:
        return {key: _instance(one, name) for key, one in value.items()}
    found = imported(str(value["_target_"]), f"hydra.sweeper.{name}._target_", "a class, as optuna.pruners.MedianPruner")
    return made(found, {str(key): one for key, one in value.items() if key != "_target_"}, name)


def _replaced(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the node of ours whose class was replaced; nothing where none was."""
    nodes = [_defaults(one) for one in (*SAMPLERS.values(), *PRUNERS.values())]
    fitting = [one for one in nodes if one.keys() <= values.keys()]
    if not fitting:
        return {}
    found = max(fitting, key=len)
    return {} if found["_target_"] == values["_target_"] else found


def _defaults(node: type) -> dict[str, Any]:
    assert is_dataclass(node)
    return {one.name: one.default for one in fields(node)}
