"""The space of a search: what Optuna draws from, and a trial's values as Hydra's words again."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import TrialPruned
from optuna.trial import Trial

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.choices import choice_like, written

log = logging.getLogger(__name__)
FUNCTION = "custom_search_space"
ENQUEUED = "enqueued"
"""Attribute of a trial: the values that hydra.sweeper.enqueue gave it."""


class NoJob(LauncherError):
    """The values of a trial make no job; other trials may. `is_pruned`: the application says that it is none to be run."""

    def __init__(self, message: str, *, is_pruned: bool = False) -> None:
        super().__init__(message)
        self.is_pruned = is_pruned


@dataclass
class Space:
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    """Words of keys with one value, by key."""
    written: dict[str, str] = field(default_factory=dict)
    """The space as it was written, by key: what a later launch compares with its own."""
    texts: dict[str, dict[Any, str]] = field(default_factory=dict)
    """How each choice is written on a command line."""
    further: Callable[[DictConfig, Trial], None] | None = None
    """Suggests keys that depend on others."""

    def suggest(self, trial: Trial, config: DictConfig) -> list[str]:
        """Draw what the trial does not have yet, and return the overrides of its job.

        Raises:
            NoJob: the function of the application has failed, or suggests what has a value already.
        """
        for name, distribution in self.distributions.items():
            suggested(trial, name, distribution)
        names = list(self.distributions)
        if self.further is not None:
            names = list(dict.fromkeys([*names, *self._call(self.further, config, trial)]))
            if unused := sorted(trial.user_attrs.get(ENQUEUED, {}).keys() - set(names)):
                log.warning(
                    "hydra.sweeper.enqueue: trial %d has no %s, which nothing suggests for its other values",
                    trial.number, ", ".join(unused),
                )  # fmt: skip
        return self.words({name: trial.params[name] for name in names})

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return overrides with these values, the fixed ones before them."""
        drawn = [f"{name}={self._text(name, value)}" for name, value in values.items()]
        return [*(f"{name}={text}" for name, text in self.fixed.items()), *drawn]

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values that are to be tried, as Optuna stores them. Raises LauncherError where one is not in the space."""
        found = {}
        for name, value in values.items():
            if (known := self.distributions.get(name)) is not None:
                try:
                    found[name] = self._checked(name, known, value)
                except (TypeError, ValueError):
                    text = f"{name}={written(value)} is not in {self.written[name]}"
                    raise LauncherError(f"hydra.sweeper.enqueue: {text}") from None
            elif self.further is not None:
                found[name] = value
            else:
                raise LauncherError(f"hydra.sweeper.enqueue: {name} is no key of the space: {', '.join(self.distributions)}")
        return found

    def ends(self) -> list[list[str]]:
        """Return the overrides of two jobs, with the first and the last value of every key."""
        first, last = {}, {}
        for name, one in self.distributions.items():
            ends = (one.choices[0], one.choices[-1]) if isinstance(one, CategoricalDistribution) else _numeric_ends(one)
            first[name], last[name] = ends
        return [self.words(first), self.words(last)]

    def _text(self, name: str, value: Any) -> str:
        known = self.texts.get(name, {})
        return known[value] if value in known else written(value)

    def _checked(self, name: str, distribution: BaseDistribution, value: Any) -> Any:
        if isinstance(distribution, CategoricalDistribution):
            return choice_like(self.texts[name], value)
        number = math.nan if isinstance(value, bool) else float(value)
        if not distribution._contains(number):
            raise ValueError(value)
        return int(number) if isinstance(distribution, IntDistribution) else number

    def _call(self, further: Callable[[DictConfig, Any], None], config: DictConfig, trial: Trial) -> list[str]:
        """Return the names that the application's function has suggested."""
        noting, name = _Noting(trial), self.written.get(FUNCTION)
        try:
            further(config, noting)
        except TrialPruned as pruned:
            raise NoJob(f"hydra.sweeper.{FUNCTION}={name} prunes it", is_pruned=True) from pruned
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
            raise NoJob(f"hydra.sweeper.{FUNCTION}={name}: {text}") from error
        if both := sorted(set(noting.names) & self.fixed.keys()):
            value = self.fixed[both[0]]
            raise NoJob(f"hydra.sweeper.{FUNCTION}={name} suggests {both[0]}, which has the value {value} already")
        return noting.names


class _Noting:
    """A trial that remembers what is suggested: one that was begun before may have values that no longer are."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.names: list[str] = []

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._trial, attribute)
        if not attribute.startswith("suggest_"):
            return found

        def suggest(name: str, *arguments: Any, **options: Any) -> Any:
            value = found(name, *arguments, **options)
            self.names.append(name)
            return value

        return suggest


def suggested(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case IntDistribution():
            return trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case FloatDistribution():
            return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case CategoricalDistribution():
            return trial.suggest_categorical(name, distribution.choices)
    raise TypeError(f"{name}: {distribution}")


def _numeric_ends(distribution: BaseDistribution) -> tuple[Any, Any]:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high
