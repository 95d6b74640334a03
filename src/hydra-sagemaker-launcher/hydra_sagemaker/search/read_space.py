"""Reads the space of a search: Hydra's words for sweeps as Optuna's distributions."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hydra_sagemaker.errors import LauncherError
from hydra_sagemaker.search.choices import choices_of, written
from hydra_sagemaker.search.space import FUNCTION, Space
from hydra_sagemaker.sweep.hooks import imported

log = logging.getLogger(__name__)
VALUES_AT_MOST = 1_000_000
"""The largest count of values in a range: one with more is a slip, and Hydra would list them."""


def read_space(params: Mapping[str, Any], arguments: Sequence[str], loader: ConfigLoader, function: str | None = None) -> Space:
    """Read `hydra.sweeper.params` and the typed overrides, which replace values of the same key.

    Raises:
        LauncherError: a range that Optuna cannot search, or nothing to search.
    """
    parser = OverridesParser.create(config_loader=loader)
    space = Space()
    for override in parser.parse_overrides([*_words(params), *arguments]):
        name = override.get_key_element()
        for known in (space.distributions, space.fixed, space.written, space.texts):
            known.pop(name, None)
        if override.is_sweep_override():
            space.distributions[name] = _distribution(override, space.texts)
            space.written[name] = str(override.input_line).partition("=")[2]
        else:
            space.fixed[name] = override.get_value_element_as_str()
    if function is not None:
        space.further = imported(function, f"hydra.sweeper.{FUNCTION}", "a function, as my_app.space.suggest")
        space.written[FUNCTION] = function
    if not space.written:
        raise LauncherError("the search has nothing to search: type a range, as in 'optimizer.lr=tag(log,interval(1e-4,1e-2))'")
    return space


def flat(values: Mapping[Any, Any], known: Mapping[str, Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values; keys in `known` keep mappings as their values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value and str(key) not in (known or {}):
            yield from ((f"{key}.{name}", one) for name, one in flat(value))
        else:
            yield str(key), value


def _words(params: Mapping[str, Any]) -> Iterator[str]:
    for key, value in flat(params):
        if isinstance(value, Sequence) and not isinstance(value, str):
            log.warning(
                'hydra.sweeper.params: %s=%s is one value, a list; "%s" would search its parts',
                key, written(value), ",".join(map(written, value)),
            )  # fmt: skip
        yield f"{key}={value if isinstance(value, str) else written(value)}"


def _distribution(override: Override, texts: dict[str, dict[Any, str]]) -> BaseDistribution:
    value, name = override.value(), override.get_key_element()
    try:
        if isinstance(value, IntervalSweep):
            return _interval(value, name)
        if isinstance(value, RangeSweep):
            values = _values(value, name)
            if values and not value.shuffle:
                return _range(value, values, name)
        if isinstance(value, ChoiceSweep | RangeSweep) and _is_log(value.tags, name):
            raise LauncherError(f"{name}: choices have no order, which a logarithm needs: tag(log,interval(…)), or no tag")
        texts[name] = choices_of(override)
        return CategoricalDistribution(list(texts[name]))
    except ValueError as error:  # Optuna's, of ends that make no range
        raise LauncherError(f"{override.input_line}: {error}") from None


def _interval(value: IntervalSweep, name: str) -> BaseDistribution:
    is_log = _is_log(value.tags, name)
    if value.start is None or value.end is None:
        raise LauncherError(f"{name}: an interval has two ends, as in interval(0.1,0.5)")
    _check_ends(name, value.start, value.end)
    if isinstance(value.start, int) and isinstance(value.end, int):
        return IntDistribution(value.start, value.end, log=is_log)
    return FloatDistribution(float(value.start), float(value.end), log=is_log)


def _values(value: RangeSweep, name: str) -> list[Any]:
    start, stop, step = value.start or 0, value.stop or 0, value.step
    _check_ends(name, start, stop, step)
    if step == 0:
        raise LauncherError(f"{name}: a range has steps, and a step of 0 leads nowhere")
    if abs(stop - start) > VALUES_AT_MOST * abs(step):
        raise LauncherError(
            f"{name}: a range of more than {VALUES_AT_MOST:,} values; int(interval(…)) has all whole numbers between two"
        )
    return list(value.range())


def _check_ends(name: str, *ends: float) -> None:
    if not all(map(math.isfinite, ends)):
        raise LauncherError(f"{name}: {', '.join(map(str, ends))}: the ends are finite numbers, as in interval(0.1,0.5)")


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
