"""The arms of a sweep: its jobs by the overrides that differ between them, apart from the seed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser

from paraphrase_lab.runs.short import short_names, shown

SEED = "seed"


class Arm(NamedTuple):
    name: str
    values: dict[str, Any]
    """Its own overrides by dotted key; no other arm has all of them."""


def arms_of(jobs: Sequence[Sequence[str]], known: Iterable[str] = ()) -> list[Arm]:
    """Return the arm of each job, from its overrides.

    Args:
        known: keys of the configuration, so that a short name of a key means no other one.
    """
    parser = OverridesParser.create()
    parsed = {word: dict(_values(parser, word)) for word in dict.fromkeys(word for job in jobs for word in job)}
    shared = set.intersection(*map(set, jobs)) if jobs else set()
    found: list[dict[str, Any]] = []
    for job in jobs:
        own = [parsed[word] for word in job if word not in shared and SEED not in parsed[word]]
        found.append({key: value for values in own for key, value in values.items()})
    short = short_names(dict.fromkeys(key for values in found for key in values), known)
    return [Arm(" ".join(f"{short[key]}={shown(value)}" for key, value in values.items()), values) for values in found]


def arm_with(arms: Iterable[Arm], words: Sequence[str]) -> Arm | None:
    """Return the arm that has exactly these values."""
    parser = OverridesParser.create()
    wanted = {key: value for word in words for key, value in _values(parser, word)}
    return next((arm for arm in arms if arm.values == wanted), None)


def numbers_of(arms: Iterable[Arm]) -> tuple[str, dict[str, float]] | None:
    """Return the key and each arm's number if one key with numbers is all that differs; else None."""
    distinct = {arm.name: arm.values for arm in arms}
    keys = {key for values in distinct.values() for key in values}
    if len(keys) != 1 or not all(len(values) == 1 for values in distinct.values()):
        return None
    (key,) = keys
    numbers = {name: values[key] for name, values in distinct.items()}
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers.values()):
        return None
    return key, {name: float(number) for name, number in numbers.items()}


def _values(parser: OverridesParser, word: str) -> Iterator[tuple[str, Any]]:
    """Split model={num_layers:2} into model.num_layers=2; a file of a group stands under the group's name."""
    override = parser.parse_override(word)
    value = override.value()
    if isinstance(value, dict):
        yield from ((f"{override.key_or_group}.{key}", _plain(one)) for key, one in value.items())
    else:
        yield override.key_or_group, _plain(value)


def _plain(value: Any) -> Any:
    return getattr(value, "text", value)  # of a quoted string
