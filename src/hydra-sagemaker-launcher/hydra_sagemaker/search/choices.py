"""Values of the configuration as they are written in overrides, and the choices of a search, which Optuna stores as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException

PLAIN = (str, int, float, bool, type(None))
"""Types of choices that Optuna stores as they are; others, such as lists, are stored as they were written."""


def choices_of(override: Override) -> dict[Any, str]:
    """Return the choices as Optuna stores them, with the text of each; shuffled ones in the order written."""
    value = override.value()
    if isinstance(value, ChoiceSweep | RangeSweep):
        value.shuffle = False  # the sampler has its own order, and a search that continues needs the same
    pairs = list(zip(override.sweep_iterator(), override.sweep_string_iterator(), strict=True))
    stored = [(_stored(element, text), text) for element, text in pairs]
    if len({(type(one), one) for one, _ in stored}) > len({one for one, _ in stored}):  # 1 and true are equal in Python
        stored = [(text, text) for _, text in stored]
    found: dict[Any, str] = {}
    for one, text in stored:
        found.setdefault(one, text)
    return found


def choice_like(choices: Mapping[Any, str], value: Any) -> Any:
    """Return the choice that has this value, or is written like it. Raises ValueError where there is none."""
    for one in choices:
        if _is_same(one, value):
            return one
    shown = value if isinstance(value, str) else written(value)
    for one, text in choices.items():
        if shown == text or _is_same(parsed(text), value) or _is_same(_read(shown), one):
            return one
    raise ValueError(value)


def written(value: Any) -> str:
    """Return a value as it is written in an override, quoted where Hydra would read something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if _is_read_as_it_is(value) else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(written, value)) + "]"
    return repr(value)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Any:
    """Return the value that Hydra reads."""
    return OverridesParser.create().parse_override(f"key={text}").value()


def _stored(element: Any, text: str) -> Any:
    if isinstance(element, QuotedString):
        return element.text
    return element if isinstance(element, PLAIN) else text


def _read(text: str) -> Any:
    """Return the value that Hydra reads, or the text itself where it reads none."""
    try:
        return parsed(text)
    except HydraException:
        return text


def _is_same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@lru_cache(maxsize=1024)
def _is_read_as_it_is(text: str) -> bool:
    try:
        return parsed(text) == text
    except HydraException:
        return False
