"""The space of a search: Hydra's words for sweeps as Optuna's distributions, and a trial's values as words again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from omegaconf import DictConfig
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.sweep.hooks import imported

PLAIN = (str, int, float, bool, type(None))
"""Types of choices that Optuna stores as they are; others, such as lists, are stored as they were written."""


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
        """Draw what the trial does not have yet, and return the overrides of its job."""
        for name, distribution in self.distributions.items():
            suggested(trial, name, distribution)
        if self.further is not None:
            self.further(config, trial)
        if both := sorted(trial.params.keys() & self.fixed.keys()):
            raise LauncherError(f"custom_search_space suggests {both[0]}, which has the value {self.fixed[both[0]]} already")
        return self.words(trial.params)

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """Return overrides with these values, the fixed ones before them."""
        drawn = [f"{name}={self.texts.get(name, {}).get(value, written(value))}" for name, value in values.items()]
        return [*(f"{name}={text}" for name, text in self.fixed.items()), *drawn]

    def checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return values that are to be tried. Raises LauncherError where one is not in the space."""
        for name, value in values.items():
            if (known := self.distributions.get(name)) is None:
                if self.further is not None:
                    continue
                raise LauncherError(f"hydra.sweeper.enqueue: {name} is no key of the space: {', '.join(self.distributions)}")
            try:
                fits = known._contains(known.to_internal_repr(value))
            except (TypeError, ValueError):
                fits = False
            if not fits:
                raise LauncherError(f"hydra.sweeper.enqueue: {name}={value} is not in {self.written[name]}")
        return values

    def ends(self) -> list[list[str]]:
        """Return the overrides of two jobs, with the first and the last value of every key."""
        first, last = {}, {}
        for name, one in self.distributions.items():
            ends = (one.choices[0], one.choices[-1]) if isinstance(one, CategoricalDistribution) else _numeric_ends(one)
            first[name], last[name] = ends
        return [self.words(first), self.words(last)]


def read_space(params: Mapping[str, Any], arguments: Sequence[str], loader: ConfigLoader, function: str | None = None) -> Space:
    """Read `hydra.sweeper.params` and the typed overrides, which replace values of the same key.

    Raises:
        LauncherError: a range that Optuna cannot search, or nothing to search.
    """
    parser = OverridesParser.create(config_loader=loader)
    space = Space()
    for override in parser.parse_overrides([*(f"{key}={value}" for key, value in params.items()), *arguments]):
        name = override.get_key_element()
        for known in (space.distributions, space.fixed, space.written, space.texts):
            known.pop(name, None)
        if override.is_sweep_override():
            space.distributions[name] = _distribution(override, space.texts)
            space.written[name] = str(override.input_line).partition("=")[2]
        else:
            space.fixed[name] = override.get_value_element_as_str()
    if function is not None:
        space.further = imported(function, "hydra.sweeper.custom_search_space", "a function, as my_app.space.suggest")
        space.written["custom_search_space"] = function
    if not space.written:
        raise LauncherError("the search has nothing to search: type a range, as in 'optimizer.lr=tag(log,interval(1e-4,1e-2))'")
    return space


def suggested(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case IntDistribution():
            return trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case FloatDistribution():
            return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
        case CategoricalDistribution():
            return trial.suggest_categorical(name, distribution.choices)
    raise TypeError(f"{name}: {distribution}")


def written(value: Any) -> str:
    """Return a value as it is written in an override."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def _distribution(override: Override, texts: dict[str, dict[Any, str]]) -> BaseDistribution:
    value, name = override.value(), override.get_key_element()
    try:
        if isinstance(value, IntervalSweep):
            return _interval(value, name)
        if isinstance(value, RangeSweep) and not value.shuffle and len(values := list(value.range())) > 0:
            return _range(value, values, name)
        choices = list(override.sweep_iterator(transformer=Transformer.encode))
        shown = list(override.sweep_string_iterator())
    except ValueError as error:  # Optuna's, of ends that make no range
        raise LauncherError(f"{override.input_line}: {error}") from None
    stored = [choice if isinstance(choice, PLAIN) else text for choice, text in zip(choices, shown, strict=True)]
    if len(set(stored)) < len(stored):  # as of 1 and true, which are equal in Python
        stored = list(dict.fromkeys(shown))
    texts[name] = dict(zip(stored, shown, strict=False))
    return CategoricalDistribution(list(texts[name]))


def _interval(value: IntervalSweep, name: str) -> BaseDistribution:
    is_log = _is_log(value.tags, name)
    if value.start is None or value.end is None:
        raise LauncherError(f"{name}: an interval has two ends, as in interval(0.1,0.5)")
    if isinstance(value.start, int) and isinstance(value.end, int):
        return IntDistribution(value.start, value.end, log=is_log)
    return FloatDistribution(float(value.start), float(value.end), log=is_log)


def _range(value: RangeSweep, values: Sequence[Any], name: str) -> BaseDistribution:
    if _is_log(value.tags, name):
        raise LauncherError(f"{name}: a range has steps of one size, which no logarithm has: tag(log,interval(…))")
    low, high, step = min(values), max(values), abs(value.step)
    if all(isinstance(one, int) for one in values):
        return IntDistribution(low, high, step=int(step))
    return FloatDistribution(float(low), float(high), step=float(step))


def _is_log(tags: set[str], name: str) -> bool:
    if unknown := sorted(tags - {"log"}):
        raise LauncherError(f"{name}: tag({unknown[0]}, …) means nothing here; valid: tag(log, interval(1e-5,1e-2))")
    return "log" in tags


def _numeric_ends(distribution: BaseDistribution) -> tuple[Any, Any]:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return distribution.low, distribution.high
